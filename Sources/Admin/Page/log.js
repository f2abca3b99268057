// The request log: a page at a time, newest first, by the filters in the URL; the first page follows along.

import { get } from "./api.js";
import { absolute, current, go, href, onAddress, withRequest } from "./address.js";
import { openBulkReplay } from "./bulk.js";
import { h, onPlainClick, setAttribute, setText } from "./dom.js";
import { filterBar } from "./filters.js";
import { bytes, count, duration, plural, time, zone } from "./format.js";
import { mayChange, queue } from "./live.js";
import { button, panel, stateBadge } from "./parts.js";
import { openPurge } from "./purge.js";
import { table } from "./table.js";

const pageSize = 50;

export function showLog(root) {
  const rows = table({
    caption: "Requests, newest first",
    key: (request) => request.id,
    empty: "Loading…",
    rowClass: (request) => (request.id === current().request ? "chosen" : ""),
    onRow: (request, event) => {
      if (!event.target.closest("a, button") && getSelection().isCollapsed) go(withRequest(request.id));
    },
    columns: [
      { label: `Time, ${zone()}`, cell: timeCell, className: "when" },
      { label: "State", cell: stateCell },
      { label: "Request", cell: requestCell, className: "main" },
      { label: "Status", numeric: true, text: (request) => request.status ?? "–" },
      { label: "Pod", text: (request) => request.pod ?? "–", className: "pod wide-only" },
      { label: "Hold", numeric: true, text: (request) => duration(request.hold), className: "wide-only" },
      { label: "Upstream", numeric: true, text: (request) => duration(request.upstream), className: "wide-only" },
      { label: "Total", numeric: true, text: (request) => duration(request.total) },
      { label: "Tries", numeric: true, text: (request) => request.attempts || "–", className: "wide-only" },
      { label: "Body", numeric: true, text: (request) => (request.body_bytes ? bytes(request.body_bytes) : "–"), className: "wide-only" },
    ],
  });
  const note = h("p", { class: "muted", "aria-live": "polite" });
  const older = h("a", { class: "button", rel: "next", onclick: onPlainClick(() => go({ ...current(), before: loader.next, request: null })) }, "Older");
  const newest = h("a", { class: "button", onclick: onPlainClick(() => go({ ...current(), before: null, request: null })) }, "Newest");
  const bulk = button("Replay all that match…", () => openBulkReplay(current().filters), "change");
  const reload = () => loader.load(current(), { quietly: true });
  const purge = button("Purge…", () => openPurge(current().filters, reload), "change danger quiet");
  const news = button("Show what is new", reload, "");
  news.hidden = true;
  const bar = filterBar();
  root.append(panel("Requests", { id: "log", beside: h("span", { class: "buttons" }, news, bulk, purge) },
    bar.node, rows.node, h("nav", { class: "pages", "aria-label": "Pages of the log" }, newest, older, note)));

  const loader = new LogLoader({
    loading: (first) => {
      if (first) rows.node.classList.add("loading");
    },
    loaded: ({ requests, next, scanned }) => {
      rows.node.classList.remove("loading");
      rows.say(next ? `Nothing among the ${count(scanned)} newest rows looked at here; go on with Older.` : "No request matches.");
      rows.update(requests);
      news.hidden = true;
      const place = current();
      older.hidden = !next;
      if (next) setAttribute(older, "href", href({ ...place, before: next, request: null }));
      newest.hidden = !place.before;
      setAttribute(newest, "href", href({ ...place, before: null, request: null }));
      setText(note, describe(requests, next, scanned, place));
    },
    failed: (problem) => {
      rows.node.classList.remove("loading");
      rows.say(problem.message);
      rows.update([]);
      older.hidden = true;
      setText(note, "");
    },
  });

  let shown = "";
  onAddress((place) => {
    bar.update(place.filters);
    for (const each of root.querySelectorAll("tr.chosen")) each.classList.remove("chosen");
    if (place.request) rows.rowOf(place.request)?.classList.add("chosen");
    if (place.view !== "requests") return;
    bulk.hidden = purge.hidden = !mayChange();
    bulk.disabled = purge.disabled = Object.keys(place.filters).length === 0;
    for (const each of [bulk, purge]) each.title = each.disabled ? "Choose which requests first: by state, route, time, …" : "";
    const wanted = href({ ...place, request: null });
    if (wanted !== shown) loader.load(place);
    shown = wanted;
  });
  // Rows do not move under a pointer, nor away from who reads them: who is at them, has one open, or has gone down, is told instead.
  let isPointed = false;
  rows.node.addEventListener("pointermove", () => { isPointed = true; });
  rows.node.addEventListener("pointerleave", () => { isPointed = false; });
  const isRead = (place) => isPointed || Boolean(place.request) || rows.node.contains(document.activeElement) || rows.node.getBoundingClientRect().top < 0;
  queue.watch((now) => {
    const place = current();
    if (place.view !== "requests" || place.before || document.hidden || !loader.isBehind(now.recorded)) return;
    if (isRead(place)) news.hidden = false;
    else loader.follow(place, now.recorded);
  });
  return rows;
}

function describe(requests, next, scanned, place) {
  if (requests.length === 0) return "";
  const reach = next && requests.length < pageSize ? `; looked at ${plural(scanned, "row")} so far` : "";
  return `${plural(requests.length, "request")}${place.before ? ` before ${time(requests[0].accepted_at)}` : ""}${reach}`;
}

/// Loads pages; the newest page again whenever something was recorded, at most once a second, and more seldom where that is slow.
class LogLoader {
  next = null;
  #view;
  #control = null;
  #recorded = null;
  #restUntil = 0;

  constructor(view) {
    this.#view = view;
  }

  /// Whether the log has something that was not there when it was loaded.
  isBehind(recorded) {
    return !this.#control && recorded !== this.#recorded;
  }

  follow(place, recorded) {
    if (performance.now() < this.#restUntil) return;
    this.load(place, { quietly: true, recorded });
  }

  async load(place, { quietly = false, recorded } = {}) {
    this.#control?.abort();
    const control = (this.#control = new AbortController());
    this.#view.loading(!quietly);
    const began = performance.now();
    // What was told before it is asked for is in what comes.
    recorded ??= queue.value?.recorded;
    try {
      const query = new URLSearchParams({ ...absolute(place.filters), limit: pageSize });
      if (place.before) query.set("before", place.before);
      const page = await get(`/requests?${query}`, { signal: control.signal });
      if (control.signal.aborted) return;
      this.next = page.next;
      this.#recorded = recorded;
      this.#view.loaded(page);
    } catch (problem) {
      if (control.signal.aborted) return;
      if (!quietly) this.#view.failed(problem);
    } finally {
      if (this.#control === control) this.#control = null;
      this.#restUntil = performance.now() + Math.max(1000, (performance.now() - began) * 5);
    }
  }
}

function timeCell(td) {
  return (request) => {
    setText(td, time(request.accepted_at, { milliseconds: true }));
    setAttribute(td, "title", request.accepted_at);
  };
}

function stateCell(td) {
  const badge = stateBadge();
  td.append(badge.node);
  return (request) => {
    badge.update(request.state, request.reason);
    setAttribute(td, "title", request.detail);
  };
}

function requestCell(td) {
  let id;
  const method = h("b");
  const path = h("span", { class: "path" });
  const replay = h("span", { class: "tag" }, "replay");
  const link = h("a", { "data-request": true, onclick: onPlainClick(() => go(withRequest(id))) }, method, " ", path);
  td.append(link, replay);
  return (request) => {
    id = request.id;
    setText(method, request.method);
    setText(path, request.path);
    replay.hidden = !request.replay_of;
    setAttribute(link, "href", href({ view: "requests", request: id }));
    setAttribute(td, "title", request.path);
  };
}
