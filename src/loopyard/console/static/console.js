// What every page of the console does by itself. Text only ever becomes text here, never HTML.
"use strict";
(() => {
  const steps = [[60, 1, "s"], [3600, 60, "min"], [86400, 3600, "h"], [Infinity, 86400, "d"]];

  function since(seconds) {
    const away = Math.abs(seconds);
    if (away < 5) return "now";
    const [, unit, name] = steps.find(([below]) => away < below);
    const words = `${Math.floor(away / unit)} ${name}`;
    return seconds > 0 ? `${words} ago` : `in ${words}`;
  }

  function refreshTimes() {
    const now = Date.now();
    for (const time of document.querySelectorAll("time[data-ms]")) {
      const words = since((now - Number(time.dataset.ms)) / 1000);
      if (time.textContent !== words) time.textContent = words;
    }
  }
  setInterval(refreshTimes, 10000);

  function tell(words) {
    const line = document.createElement("p");
    line.className = "problem";
    line.textContent = words;
    const place = document.getElementById("problems");
    place.replaceChildren(line);
    setTimeout(() => line.remove(), 10000);
  }

  const search = document.getElementById("search");
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable], .xterm");
    if ((event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !typing)) {
      if (event.target.closest(".xterm")) return;
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target.closest(".search")) {
      document.activeElement.blur();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && event.target.closest(".search")) {
      const places = [search, ...document.querySelectorAll("#found a")];
      const next = places.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
      places[Math.max(0, Math.min(places.length - 1, next))].focus();
    }
  });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      const text = copy.dataset.copy;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        // Without TLS a browser has no clipboard: what is selected can be copied by hand.
        const range = document.createRange();
        range.selectNodeContents(copy.previousElementSibling || copy);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.execCommand("copy");
      }
      copy.classList.add("done");
      setTimeout(() => copy.classList.remove("done"), 1200);
    }
    const menu = event.target.closest(".menu");
    if (menu) {
      const open = document.getElementById("navigation").classList.toggle("open");
      menu.setAttribute("aria-expanded", String(open));
    }
  });

  document.addEventListener("change", (event) => {
    const named = event.target.dataset.names && document.getElementById(event.target.dataset.names);
    if (named && !named.value && event.target.files.length) named.value = event.target.files[0].name;
  });

  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  document.addEventListener("htmx:responseError", (event) => {
    const made = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    tell((made.querySelector(".problem") || made.body).textContent.trim().slice(0, 500) || "That did not work.");
  });
  document.addEventListener("htmx:sendError", () => tell("The server does not answer."));
  document.addEventListener("htmx:afterSwap", refreshTimes);

  // A browser keeps six connections to a server: a page that nobody looks at gives its event stream back.
  class Stream {
    constructor(url) {
      this.url = url;
      this.listeners = [];
      this.closed = false;
      this.source = null;
      this.onopen = this.onerror = null;
      this.look = () => (document.hidden ? this.pause() : this.resume());
      document.addEventListener("visibilitychange", this.look);
      if (!document.hidden) this.resume();
    }
    get readyState() {
      return this.closed ? EventSource.CLOSED : this.source ? this.source.readyState : EventSource.OPEN;
    }
    resume() {
      if (this.closed || this.source) return;
      this.source = new EventSource(this.url);
      this.source.onopen = (event) => this.onopen && this.onopen(event);
      this.source.onerror = (event) => {
        if (this.onerror) this.onerror(event);
        if (this.source && this.source.readyState === EventSource.CLOSED) this.close(); // another one was made
      };
      for (const [name, listener] of this.listeners) this.source.addEventListener(name, listener);
    }
    pause() {
      if (this.source) this.source.close();
      this.source = null;
    }
    addEventListener(name, listener) {
      this.listeners.push([name, listener]);
      if (this.source) this.source.addEventListener(name, listener);
    }
    removeEventListener(name, listener) {
      this.listeners = this.listeners.filter((one) => one[0] !== name || one[1] !== listener);
      if (this.source) this.source.removeEventListener(name, listener);
    }
    close() {
      this.closed = true;
      this.pause();
      document.removeEventListener("visibilitychange", this.look);
    }
  }
  if (window.htmx) htmx.createEventSource = (url) => new Stream(url);

  // A log that is followed stays at its end, unless somebody has scrolled up.
  const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  document.addEventListener("htmx:beforeSwap", (event) => {
    for (const box of event.target.querySelectorAll("[data-follow]")) event.target.dataset.atEnd = String(atEnd(box));
  });
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const box = event.target.querySelector("[data-follow]");
    if (!box) return;
    event.target.dataset.atEnd = String(atEnd(box));
    event.target.dataset.top = String(box.scrollTop);
  });
  document.addEventListener("htmx:sseMessage", (event) => {
    const box = event.target.querySelector && event.target.querySelector("[data-follow]");
    if (box) box.scrollTop = event.target.dataset.atEnd === "false" ? Number(event.target.dataset.top) : box.scrollHeight;
    refreshTimes();
  });
  for (const box of document.querySelectorAll("[data-follow]")) box.scrollTop = box.scrollHeight;
})();
