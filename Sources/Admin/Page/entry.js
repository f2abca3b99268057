// One request beside the log: its times, its attempts, what was sent and answered, and what may be done with it.

import { get } from "./api.js";
import { current, go, href, onAddress, withRequest } from "./address.js";
import { bodyView, hiddenBody } from "./body.js";
import { h, onPlainClick } from "./dom.js";
import { bytes, duration, needs, time, words } from "./format.js";
import { mayChange, queue } from "./live.js";
import { button, copyButton, facts, stateBadge } from "./parts.js";
import { openReplay } from "./replay.js";
import { cancelRequest } from "./waiting.js";

const ended = new Set(["completed", "failed", "expired", "cancelled", "abandoned", "interrupted", "rejected"]);
const pause = 700;

export function showEntry(root) {
  let shown = null;
  let entry = null;
  let text = "";
  let restUntil = 0;
  let openedFrom = null;

  onAddress(({ request }) => {
    if (request === shown) return;
    if (!shown) openedFrom = document.activeElement;
    shown = request;
    entry = null;
    text = "";
    root.hidden = !request;
    document.body.classList.toggle("with-entry", Boolean(request));
    if (!request) {
      root.replaceChildren();
      if (openedFrom?.isConnected) openedFrom.focus({ preventScroll: true });
      return;
    }
    root.replaceChildren(head(`Request ${request}`), h("p", { class: "empty" }, "Loading…"));
    load();
  });

  /// What comes for a request that is not shown any more is dropped.
  async function load() {
    const id = shown;
    restUntil = Infinity;
    try {
      const answer = await get(`/requests/${id}`);
      answer.why = whyItWaits(answer);
      const next = JSON.stringify(answer);
      if (id !== shown || next === text) return;
      const isFirst = entry === null;
      entry = answer;
      text = next;
      draw(isFirst);
    } catch (problem) {
      if (id === shown && !entry) root.replaceChildren(head(`Request ${id}`), h("p", { class: "empty problem" }, problem.message));
    } finally {
      if (id === shown) restUntil = performance.now() + pause;
    }
  }

  function draw(isFirst) {
    const scroll = root.scrollTop;
    const focused = document.activeElement?.id;
    const hadFocus = root.contains(document.activeElement);
    root.replaceChildren(...sections(entry));
    root.scrollTop = isFirst ? 0 : scroll;
    if (isFirst) document.getElementById("entry-title").focus({ preventScroll: true });
    else if (hadFocus) (document.getElementById(focused) ?? document.getElementById("entry-title")).focus({ preventScroll: true });
  }

  // What has not ended is looked at again as the queue moves; new replays of it are listed by opening it anew.
  queue.watch(() => {
    if (shown && entry && !ended.has(entry.request.state) && performance.now() > restUntil) load();
  });
  return { replay: () => entry && mayChange() && openReplay(entry) };
}

export function closeEntry() {
  if (current().request) go(withRequest(null));
}

function head(title, ...rest) {
  return h("header", { class: "entry-head" },
    h("div", { class: "entry-line" }, h("h2", { id: "entry-title", tabindex: "-1" }, title), h("button", { type: "button", id: "entry-close", class: "quiet", "aria-label": "Close the request", title: "Close (Esc)", onclick: closeEntry }, "×")),
    rest);
}

function sections(entry) {
  const { request } = entry;
  const badge = stateBadge();
  badge.update(request.state, request.reason);
  const replay = ended.has(request.state) && h("button", { type: "button", id: "entry-replay", class: "change", onclick: () => openReplay(entry) }, "Replay…");
  const cancel = request.state === "queued" && h("button", { type: "button", id: "entry-cancel", class: "change danger", onclick: () => cancelRequest(request.id) }, "Cancel…");
  return [
    head([h("b", {}, request.method), " ", h("span", { class: "path" }, request.path)],
      h("div", { class: "entry-line" }, h("span", {}, badge.node, request.status ? h("b", { class: "status" }, ` ${request.status}`) : null),
        h("span", { class: "buttons" }, mayChange() && [replay, cancel]))),
    (request.detail || entry.why) && h("p", { class: "detail" }, request.detail ?? entry.why),
    part("Times", timeBar(request), timeline(entry)),
    part("Request", facts([
      ["Id", h("span", {}, h("code", {}, request.id), " ", copyButton(request.id))],
      ["Route", routeLink(request.route)],
      ["Needs", needs(entry.needs)],
      ["Client", request.client],
      ["Priority", request.priority],
      ["Replay of", request.replay_of && requestLink(request.replay_of)],
      ["Replayed as", entry.replays.length > 0 ? h("span", { class: "links" }, entry.replays.map(requestLink)) : null],
      ["Bulk replay", request.replay_job && h("a", { href: href({ view: "replays" }) }, request.replay_job)],
    ]), fields(entry.headers, entry.withheld)),
    part("Request body", showBody(entry.body, request.body_bytes)),
    entry.answer && part("Answer", facts([["Status", String(entry.answer.status)], ["Pod", request.pod], ["Size", bytes(request.answer_bytes)]]), fields(entry.answer.headers, entry.answer.withheld)),
    entry.answer && part("Answer body", showBody(entry.answer.body, request.answer_bytes)),
  ].filter(Boolean);
}

/// What its line waits for, as the gateway tells it of the first in it.
function whyItWaits({ request, needs: needed }) {
  if (request.state !== "queued") return null;
  const same = (line) => line.route === request.route && line.priority === request.priority && needs(line.needs) === needs(needed);
  const line = queue.value?.lines.find((each) => each.first === request.id) ?? queue.value?.lines.find(same);
  if (!line) return null;
  return line.first === request.id ? `It waits: ${line.explanation}.` : `It waits behind others of its line; the first of them: ${line.explanation}.`;
}

/// A token that may only look gets no bodies: then there is a size but no body.
function showBody(body, size) {
  return !body && !mayChange() ? hiddenBody(size) : bodyView(body);
}

function part(title, ...body) {
  return h("section", { class: "part" }, h("h3", {}, title), body);
}

function requestLink(id) {
  const place = withRequest(id);
  return h("a", { href: href(place), onclick: onPlainClick(() => go(place)) }, id);
}

function routeLink(route) {
  const place = { view: "requests", filters: { route } };
  return h("a", { href: href(place), onclick: onPlainClick(() => go(place)) }, route);
}

/// Where the time went: held, until the pod's first byte, then streaming.
function timeBar(request) {
  if (!request.total) return null;
  const first = request.first_byte ?? request.upstream ?? 0;
  const spans = [["held", request.hold ?? 0], ["pod", first], ["answer", Math.max((request.upstream ?? first) - first, 0)]];
  const bar = h("div", { class: "time-bar", "aria-hidden": "true" }, spans.map(([name, seconds]) => {
    const piece = h("i", { class: name });
    piece.style.flexGrow = String(seconds / request.total);
    return piece;
  }));
  const legend = [["held", "Held", request.hold], ["pod", "To first byte", request.first_byte], ["answer", "Upstream", request.upstream], ["total", "Total", request.total]];
  return h("div", {}, bar, h("dl", { class: "times" }, legend.map(([name, label, value]) => h("div", { class: name }, h("dt", {}, label), h("dd", {}, duration(value))))));
}

/// Every state that it was in, and each attempt, with the time since the request came.
function timeline({ request, timeline: steps, attempts }) {
  const begin = new Date(request.accepted_at);
  const items = steps.map((step) => {
    const attempt = step.state === "dispatched" && attempts.find((each) => each.at === step.at);
    return h("li", { "data-state": step.state },
      h("time", { datetime: step.at, title: step.at }, step === steps[0] ? time(step.at, { milliseconds: true }) : `+${duration((new Date(step.at) - begin) / 1000)}`),
      h("span", {}, h("b", {}, words(step.state)), step.pod ? ` to ${step.pod}` : "", attempt && attempts.length > 1 ? ` (attempt ${attempt.number} of ${attempts.length})` : ""));
  });
  return h("ol", { class: "timeline" }, items);
}

function fields(list, withheld) {
  if (list.length === 0 && withheld.length === 0) return h("p", { class: "muted" }, "no header fields");
  return h("table", { class: "fields", "aria-label": "Header fields" }, h("tbody", {},
    list.map(({ name, value }) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value))),
    withheld.map((name) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "muted" }, "sent, but never written down")))));
}
