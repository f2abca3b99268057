// The routes: what each needs, how many wait, and the two values that an operator may set while it runs.

import { patch, post, segment } from "./api.js";
import { go, href } from "./address.js";
import { confirm } from "./dialog.js";
import { h, onPlainClick, setAttribute, setText } from "./dom.js";
import { editor } from "./editor.js";
import { age, count, duration, needs, plural, seconds } from "./format.js";
import { mayChange, onTick, queue, routes, since, takeRoute } from "./live.js";
import { act } from "./notices.js";
import { button, panel } from "./parts.js";
import { table } from "./table.js";

export function showRoutes(root) {
  const rows = table({
    caption: "Routes",
    key: (route) => route.id,
    empty: "Loading…",
    rowClass: (route) => (route.paused ? "faded" : ""),
    columns: [
      { label: "Route", cell: nameCell, className: "main" },
      { label: "Waiting", numeric: true, cell: waitingCell },
      { label: "With pods", numeric: true, text: (route) => count(liveOf(route)?.dispatched ?? 0) },
      { label: "Hold p50 · p99", numeric: true, text: (route) => holds(liveOf(route)?.waits), className: "roomy-only" },
      { label: "Hold timeout", cell: holdCell, className: "edit" },
      { label: "Concurrency", cell: concurrencyCell, className: "edit" },
      { label: "Request timeout", numeric: true, cell: sourcedCell("request_timeout", duration), className: "roomy-only" },
      { label: "Retry", cell: sourcedCell("retry", String), className: "roomy-only" },
      { label: "Actions", hiddenLabel: true, cell: actionsCell, className: "actions" },
    ],
  });
  rows.update([]);
  const show = () => routes.value && rows.update(routes.value.routes);
  routes.watch(show);
  queue.watch(show);
  onTick(show);
  root.append(panel("Routes", { id: "routes-list", beside: h("span", { class: "muted" }, "A changed value takes effect at once, also for those waiting.") }, rows.node));
}

const liveOf = (route) => queue.value?.routes.find((each) => each.name === route.id);
const holds = (waits) => (waits?.count ? `${duration(waits.p50)} · ${duration(waits.p99)}` : "–");

function nameCell(td) {
  let route;
  const link = h("a", { class: "route", onclick: onPlainClick(() => go(requestsOf(route))) });
  const paused = h("b", { class: "tag alarm" }, "paused");
  const detail = h("span", { class: "muted" });
  td.append(h("span", {}, link, " ", paused), detail);
  return (next) => {
    route = next;
    setText(link, route.id);
    setAttribute(link, "href", href(requestsOf(route)));
    paused.hidden = !route.paused;
    setText(detail, `${needs(route.needs)} (${route.sources.needs})`);
  };
}

const requestsOf = (route) => ({ view: "requests", filters: { route: route.id } });

function waitingCell(td) {
  return (route) => {
    const now = liveOf(route);
    const bound = route.max_queue_depth ?? null;
    const depth = count(now?.depth ?? 0) + (bound === null ? "" : ` of ${count(bound)}`);
    setText(td, now?.depth > 0 ? `${depth} · ${age(now.oldest_age + since(queue.value))}` : depth);
    setAttribute(td, "title", bound === null ? null : `at most ${count(bound)} may wait (${route.sources.max_queue_depth})`);
  };
}

function holdCell(td) {
  return editor(td, {
    name: (route) => `Hold timeout of ${route.id}`,
    text: (route) => `${route.hold_timeout}s`,
    shown: (route) => duration(route.hold_timeout),
    source: (route) => route.sources.hold_timeout,
    given: (route) => `back to ${duration(route.configured_hold_timeout)}`,
    parse: (text) => {
      const value = seconds(text);
      return value !== null && value <= 86_400 ? value : null;
    },
    written: duration,
    accepted: "90, 90s, 2m, 1.5h; at most a day",
    save: saveHold,
  });
}

function concurrencyCell(td) {
  return editor(td, {
    name: (route) => `How many requests of ${route.id} may be with pods at once`,
    text: (route) => route.max_concurrency ?? "",
    shown: (route) => (route.max_concurrency === null || route.max_concurrency === undefined ? "unbounded" : count(route.max_concurrency)),
    source: (route) => route.sources.max_concurrency,
    given: () => "give back",
    parse: (text) => (/^[1-9]\d{0,6}$/.test(text) && Number(text) <= 1_000_000 ? Number(text) : null),
    written: count,
    accepted: "a whole number, 1 to 1,000,000",
    save: (route, value) => change(route, { max_concurrency: value }),
  });
}

/// Asks where it is over at once for some that wait.
async function saveHold(route, value) {
  const next = value ?? route.configured_hold_timeout;
  const now = liveOf(route);
  if (!(now?.depth > 0) || now.oldest_age + since(queue.value) <= next) return change(route, { hold_timeout: value });
  return confirm({
    title: `Refuse those that have waited longer than ${duration(next)}?`,
    text: `${plural(now.depth, "request waits", "requests wait")} on ${route.id}, the oldest for ${age(now.oldest_age + since(queue.value))}. `
      + `With a hold timeout of ${duration(next)} those that have waited longer are refused with 503 at once.`,
    label: "Set it",
    run: () => change(route, { hold_timeout: value }),
  });
}

async function change(route, values) {
  takeRoute(await patch(`/routes/${segment(route.id)}`, values));
}

function sourcedCell(name, format) {
  return (td) => {
    const value = h("span");
    const source = h("small", { class: "source" });
    td.append(value, " ", source);
    return (route) => {
      setText(value, format(route[name]));
      setText(source, route.sources[name]);
    };
  };
}

function actionsCell(td) {
  let route;
  const pause = button("Pause", () => confirm({
    title: `Pause ${route.id}?`,
    text: "Its requests are held, and none is sent to a pod, until you resume it. Those held longer than the hold timeout are refused as always.",
    label: "Pause the route",
    run: () => post("/pause", { route: route.id }),
  }), "small change");
  const resume = button("Resume", (event) => act(event.currentTarget, () => post("/resume", { route: route.id }), `${route.id} goes on.`), "small change");
  td.append(pause, resume);
  return (next) => {
    route = next;
    setAttribute(pause, "aria-label", `Pause ${route.id}`);
    setAttribute(resume, "aria-label", `Resume ${route.id}`);
    pause.hidden = !mayChange() || route.paused === true;
    resume.hidden = !mayChange() || route.paused !== true;
  };
}
