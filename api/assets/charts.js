// Draws the charts of the page with uPlot, which shows the numbers under the pointer. Without this
// script, the page shows drawings made by the server.
(() => {
  "use strict";
  const drawn = new Map();
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const two = (number) => String(number).padStart(2, "0");

  // All times of the page are UTC.
  const clock = (seconds) => {
    const at = new Date(seconds * 1000);
    return `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  };
  const date = (seconds) => {
    const at = new Date(seconds * 1000);
    return `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  };
  const isLong = (at) => at[at.length - 1] - at[0] > 2 * 86400;

  const duration = (ms) => {
    if (ms < 1000) return `${Math.round(ms)} ms`;
    if (ms < 60000) return `${+(ms / 1000).toFixed(1)} s`;
    return ms < 3600000 ? `${+(ms / 60000).toFixed(1)} min` : `${+(ms / 3600000).toFixed(1)} h`;
  };
  const written = (unit, value) => {
    if (value === null || value === undefined) return "none";
    return unit === "ms" ? duration(value) : (+value.toFixed(2)).toLocaleString("en");
  };

  const read = (figure) => {
    const { at, values, names, unit } = JSON.parse(figure.dataset.chart);
    return { data: [at, ...values], names, unit };
  };

  const say = (figure, plot, { names, unit }) => {
    const { idx } = plot.cursor;
    const at = idx === null || idx === undefined ? undefined : plot.data[0][idx];
    const when = at === undefined ? "" : isLong(plot.data[0]) ? `${date(at)} ${clock(at)}` : clock(at);
    const values = names.map((name, line) => `${name} ${written(unit, plot.data[line + 1][idx])}`);
    figure.querySelector(".reading").textContent = at === undefined ? "" : [when, ...values].join(" · ");
  };

  const draw = (figure) => {
    const chart = read(figure);
    const place = figure.querySelector(".plot");
    const lines = Array.from(figure.querySelectorAll(".key"), (key) => ({
      stroke: getComputedStyle(key).getPropertyValue("--line-color"),
      dash: key.classList.contains("line-c") ? [5, 3] : undefined,
    }));
    const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const times = (plot, splits) => splits.map(isLong(plot.data[0]) ? date : clock);
    const plot = new uPlot({
      width: place.clientWidth, height: 180, legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: { y: { range: (plot, low, high) => [0, Math.max(1, high * 1.08)] } },
      axes: [
        { ...axis, values: times, space: 70, size: 28 },
        { ...axis, size: 64, values: (plot, splits) => splits.map((value) => written(chart.unit, value)) },
      ],
      series: [{}, ...chart.names.map((name, line) => ({ ...lines[line], label: name, width: 1.6, points: { show: false } }))],
      hooks: { setCursor: [(plot) => say(figure, plot, chart)] },
    }, chart.data, place);
    drawn.set(figure.id, { plot, shown: figure.dataset.chart });
  };

  // An existing chart keeps its element and the numbers under the pointer.
  const drawAll = () => {
    for (const figure of document.querySelectorAll("figure[data-chart]")) {
      const known = drawn.get(figure.id);
      if (!known || !figure.contains(known.plot.root)) draw(figure);
      else if (known.shown !== figure.dataset.chart) {
        known.plot.setData(read(figure).data);
        known.shown = figure.dataset.chart;
      }
    }
  };
  const redraw = () => {
    for (const { plot } of drawn.values()) plot.destroy();
    drawn.clear();
    drawAll();
  };

  document.documentElement.classList.add("plotted");
  drawAll();
  document.addEventListener("htmx:after:swap", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; redraw(); } });
})();
