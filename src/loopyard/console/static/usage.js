// Charts of what a devbox uses. The figures come with the page and then by its event stream, as JSON in an attribute.
"use strict";
(() => {
  const places = ["cpu", "memory"].map((name) => [name, document.getElementById(`chart-${name}`)]);
  if (!places.every(([, place]) => place) || !window.uPlot) return;
  const HEIGHT = 180;
  let charts = [];

  function figures() {
    const holder = document.querySelector("[data-usage]");
    return holder ? JSON.parse(holder.dataset.usage) : null;
  }

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function made(name, place, given) {
    const most = given.most[name === "cpu" ? 0 : 1];
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const options = {
      width: Math.max(200, place.clientWidth),
      height: HEIGHT,
      padding: [10, 28, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        // A first point alone would be a chart without a width.
        x: { time: true, range: (_, low, high) => [Math.min(low, high - 60), high] },
        // From nothing to what is in use, at most twice what the devbox may have.
        y: { range: (_, low, high) => [0, Math.max(Math.min(high * 1.15, most * 2), most / 20)] },
      },
      axes: [
        { ...axis, values: (_, splits) => splits.map((at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false })), space: 80, size: 30 },
        { ...axis, size: 56 },
      ],
      series: [{}, { stroke: colour("--main"), width: 2, fill: colour("--move-soft"), points: { show: (chart) => chart.data[0].length < 3, size: 6, fill: colour("--main") } }],
    };
    return new uPlot(options, [given.times, given[name]], place);
  }

  function draw() {
    const given = figures();
    for (const chart of charts) chart.destroy();
    charts = given && given.times.length ? places.map(([name, place]) => made(name, place, given)) : [];
  }

  function refresh() {
    const given = figures();
    if (!given || !charts.length) return draw();
    places.forEach(([name], index) => charts[index].setData([given.times, given[name]]));
  }

  // The table stays open when newer figures take its place.
  let open = false;
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    const table = event.target.querySelector && event.target.querySelector("details");
    if (table && event.target.querySelector("[data-usage]")) open = table.open;
  });
  document.addEventListener("htmx:sseMessage", (event) => {
    if (!event.target.querySelector || !event.target.querySelector("[data-usage]")) return;
    const table = event.target.querySelector("details");
    if (table) table.open = open;
    refresh();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => {
    charts.forEach((chart, index) => chart.setSize({ width: Math.max(200, places[index][1].clientWidth), height: HEIGHT }));
  }).observe(places[0][1]);
  draw();
})();
