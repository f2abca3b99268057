// Small line charts as inline SVG: the last 15 minutes, with a cursor that follows the pointer or the arrow keys.

import { h, setAttribute, setText, svg } from "./dom.js";
import { time } from "./format.js";

const width = 360;
const height = 84;
const slots = 180;

/// `series` are `{ label, tone, value(point), area }`, drawn in their order; null values leave a gap. Returns `{ node, update(points) }`.
export function chart({ title, series, format }) {
  let points = [];
  let chosen = null;
  const lines = series.map((each) => ({
    ...each,
    area: each.area ? svg("path", { class: `area tone-${each.tone}` }) : null,
    line: svg("path", { class: `line tone-${each.tone}` }),
    figure: h("b"),
  }));
  const cursor = svg("path", { class: "cursor" });
  const top = h("span", { class: "chart-top" });
  const when = h("span", { class: "muted" });
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("path", { class: "grid", d: `M0 .5H${width}M0 ${height / 2}H${width}M0 ${height - 0.5}H${width}` }),
    lines.map((line) => line.area), lines.map((line) => line.line), cursor);
  const plot = h("div", { class: "plot", tabindex: "0", role: "img", "aria-label": title }, drawing, top);
  const node = h("figure", { class: "chart" },
    h("figcaption", {}, h("span", { class: "chart-title" }, title), when),
    plot,
    h("div", { class: "legend" }, lines.map((line) => h("span", { class: `key tone-${line.tone}` }, line.label, " ", line.figure))));

  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    choose(Math.round(((event.clientX - box.left) / box.width) * (slots - 1)) - (slots - points.length));
  });
  plot.addEventListener("pointerleave", () => choose(null));
  plot.addEventListener("blur", () => choose(null));
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined || points.length === 0) return;
    event.preventDefault();
    choose(Math.min(Math.max((chosen ?? points.length - 1) + step, 0), points.length - 1));
  });

  function choose(index) {
    chosen = index === null || index < 0 || index >= points.length ? null : index;
    readOut();
  }

  function readOut() {
    const index = chosen ?? points.length - 1;
    const point = points[index];
    for (const line of lines) setText(line.figure, point ? shown(line.value(point)) : "–");
    setText(when, chosen === null ? "" : time(point.at));
    setAttribute(cursor, "d", chosen === null ? "" : `M${place(index)} 0V${height}`);
  }

  const shown = (value) => (value === null ? "–" : format(value));
  const place = (index) => ((index + slots - points.length) / (slots - 1)) * width;

  function update(next) {
    points = next.slice(-slots);
    const most = Math.max(...points.flatMap((point) => lines.map((line) => line.value(point) ?? 0)), 0);
    const scale = roundUp(most);
    const heightOf = (value) => height - 1 - (value / scale) * (height - 3);
    for (const line of lines) {
      const runs = runsOf(points.map(line.value));
      const outline = (run) => run.map(([index, value]) => `${place(index).toFixed(1)} ${heightOf(value).toFixed(1)}`).join("L");
      setAttribute(line.line, "d", runs.map((run) => `M${outline(run)}${run.length === 1 ? "h.01" : ""}`).join(""));
      if (line.area) setAttribute(line.area, "d", runs.map((run) => `M${place(run[0][0])} ${height}L${outline(run)}L${place(run.at(-1)[0])} ${height}Z`).join(""));
    }
    setText(top, format(scale));
    setAttribute(plot, "aria-label", `${title}, last 15 minutes: ${lines.map((line) => `${line.label} now ${shown(points.length > 0 ? line.value(points.at(-1)) : null)}`).join(", ")}; at most ${format(most)}. Arrow keys move through it.`);
    readOut();
  }

  return { node, update };
}

/// Stretches of values without a gap, as `[index, value]`.
function runsOf(values) {
  const runs = [];
  let run = null;
  values.forEach((value, index) => {
    if (value === null || value === undefined) run = null;
    else if (run) run.push([index, value]);
    else runs.push((run = [[index, value]]));
  });
  return runs;
}

/// 1, 2 or 5 times a power of ten, at least as large.
function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}
