// A terminal of a devbox. What it shows comes from the devbox: it may draw, but not touch the page, the clipboard, the
// window's title, or open links.
"use strict";
(() => {
  const place = document.getElementById("terminal");
  if (!place) return;
  const state = document.getElementById("terminal-state");
  const at = place.dataset.at;
  const token = document.body.dataset.csrf;
  const say = (words) => { state.textContent = words; };

  // The page's policy lets no script put text into a <style>. xterm.js does that; its rules go into a sheet made for it.
  const createElement = document.createElement.bind(document);
  document.createElement = (name, ...rest) => {
    if (String(name).toLowerCase() !== "style") return createElement(name, ...rest);
    const made = createElement("meta");
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    Object.defineProperty(made, "textContent", { get: () => "", set: (rules) => sheet.replaceSync(rules) });
    return made;
  };

  const terminal = new Terminal({
    cursorBlink: true,
    fontFamily: '"DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace',
    fontSize: 14,
    scrollback: 5000,
    screenReaderMode: true,
    linkHandler: { activate: () => {} },
    theme: { background: "#14161a", foreground: "#d8dbe2" },
  });
  const fit = new FitAddon.FitAddon();
  terminal.loadAddon(fit);
  // OSC: 0-2 title, 8 links, 52 clipboard: taken, and nothing done.
  for (const number of [0, 1, 2, 8, 9, 52, 777]) terminal.parser.registerOscHandler(number, () => true);
  terminal.open(place);
  fit.fit();

  const send = (path, extra = {}) =>
    fetch(at + path, {
      method: "POST",
      headers: { "X-CSRF-Token": token, "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ rows: terminal.rows, cols: terminal.cols, ...extra }),
    });

  let socket = null;
  let pause = 500;
  let over = false;

  async function connect() {
    say("Connecting …");
    let answer;
    try {
      answer = await send("");
    } catch {
      return again();
    }
    if (!answer.ok) {
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      say((made.querySelector(".problem") || made.body).textContent.trim().slice(0, 300) || "It could not be opened.");
      return;
    }
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}${at}/socket`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      terminal.reset();
      pause = 500;
      say("Connected.");
      terminal.focus();
    };
    socket.onmessage = (event) => terminal.write(new Uint8Array(event.data));
    socket.onclose = (event) => {
      if (event.code === 1000 || event.code === 1001 || event.code === 1008) {
        over = true;
        say(`Ended: ${event.reason || "the shell is gone"}. Load the page anew for another.`);
      } else {
        again();
      }
    };
  }

  function again() {
    if (over) return;
    say("The connection is lost; trying again …");
    setTimeout(connect, pause);
    pause = Math.min(10000, pause * 2);
  }

  const encoder = new TextEncoder();
  const type = (bytes) => {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(bytes);
  };
  terminal.onData((text) => type(encoder.encode(text)));
  terminal.onBinary((text) => type(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.type === "keydown" && event.ctrlKey && event.shiftKey && event.code === "KeyC" && terminal.hasSelection()) {
      event.preventDefault();
      if (navigator.clipboard) navigator.clipboard.writeText(terminal.getSelection());
      return false;
    }
    return true;
  });

  let waiting = null;
  new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const [rows, cols] = [terminal.rows, terminal.cols];
      fit.fit();
      const changed = rows !== terminal.rows || cols !== terminal.cols;
      if (changed && socket && socket.readyState === WebSocket.OPEN) send("/resize").catch(() => {});
    }, 150);
  }).observe(place);

  connect();
})();
