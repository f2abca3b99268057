// The bar above the log. It edits nothing but the URL; the log follows that.

import { current, go } from "./address.js";
import { h, setText } from "./dom.js";
import { words } from "./format.js";
import { pods, routes } from "./live.js";
import { button } from "./parts.js";

export const states = ["queued", "dispatched", "completed", "failed", "expired", "cancelled", "abandoned", "interrupted", "rejected"];
const reasons = ["no_capacity", "no_pods", "exceeds_every_pod", "queue_full", "draining", "body_too_large", "client_closed", "operator_cancelled",
  "connect_failed", "upstream_timeout", "upstream_reset", "gateway_ended", "storage_unavailable"];
const ages = [["", "any time"], ["15m", "last 15 minutes"], ["1h", "last hour"], ["6h", "last 6 hours"], ["1d", "last day"], ["7d", "last 7 days"]];
const typingPause = 300;

export function filterBar() {
  const text = h("input", { type: "search", id: "filter-text", placeholder: "Path, reason, pod or id", "aria-label": "Search path, reason, pod or id", maxlength: 200 });
  const route = select("Route", []);
  const reason = select("Reason", [["", "any reason"], ...reasons.map((each) => [each, words(each)])]);
  const pod = select("Pod", []);
  const status = h("input", { type: "text", size: 7, placeholder: "any status", "aria-label": "Status, as 503, 5xx or 500-599", title: "503, 5xx or 500-599", pattern: "[1-9]xx|[0-9]{3}(-[0-9]{3})?" });
  const since = select("Since", ages);
  const until = h("input", { type: "datetime-local", step: 1, "aria-label": "Until", title: "Until" });
  const fold = button("Filters", () => fold.setAttribute("aria-expanded", String(node.classList.toggle("open"))), "narrow-only");
  fold.setAttribute("aria-expanded", "false");
  const chips = states.map((state) => h("button", { type: "button", class: "chip state", "data-state": state, "aria-pressed": "false", onclick: () => toggle(state) }, h("b", {}, state)));
  const origin = h("button", { type: "button", class: "chip on", hidden: true, onclick: () => set({ replay_of: null, replay_job: null }) });
  const clear = button("Clear", () => go({ view: "requests" }), "small quiet");
  const node = h("form", { class: "filters", role: "search", "aria-label": "Filters of the log", onsubmit: (event) => event.preventDefault() },
    h("div", { class: "search" }, text, fold), h("div", { class: "chips", role: "group", "aria-label": "States" }, chips, origin),
    h("div", { class: "selects" }, route, reason, pod, status, since, h("label", {}, "until ", until), clear));

  let typing;
  text.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => set({ text: text.value.trim() }, { replace: true }), typingPause);
  });
  for (const [control, name] of [[route, "route"], [reason, "reason"], [pod, "pod"], [since, "since"]]) {
    control.addEventListener("change", () => set({ [name]: control.value }));
  }
  status.addEventListener("change", () => status.reportValidity() && set({ status: status.value.trim() }));
  until.addEventListener("change", () => set({ until: until.value && new Date(until.value).toISOString() }));

  routes.watch(({ routes: all }) => offer(route, "any route", all.map((each) => each.id)));
  pods.watch(({ pods: all }) => offer(pod, "any pod", all.map((each) => each.id)));

  function toggle(state) {
    const chosen = new Set((current().filters.state ?? "").split(",").filter(Boolean));
    if (!chosen.delete(state)) chosen.add(state);
    set({ state: states.filter((each) => chosen.has(each)).join(",") });
  }

  function update(filters) {
    if (document.activeElement !== text) text.value = filters.text ?? "";
    const chosen = (filters.state ?? "").split(",");
    for (const chip of chips) chip.setAttribute("aria-pressed", String(chosen.includes(chip.dataset.state)));
    for (const [control, name] of [[route, "route"], [reason, "reason"], [pod, "pod"], [since, "since"]]) choose(control, filters[name] ?? "");
    if (document.activeElement !== status) status.value = filters.status ?? "";
    if (document.activeElement !== until) until.value = filters.until ? localTime(filters.until) : "";
    origin.hidden = !filters.replay_of && !filters.replay_job;
    setText(origin, filters.replay_of ? `replays of ${filters.replay_of} ×` : `bulk replay ${filters.replay_job} ×`);
    clear.hidden = Object.keys(filters).length === 0;
  }
  return { node, update };
}

/// Changes some filters; the log begins anew at its newest page.
function set(changes, options) {
  const place = current();
  go({ view: "requests", filters: { ...place.filters, ...changes }, request: place.request }, options);
}

function select(label, options) {
  return h("select", { "aria-label": label, title: label }, options.map(([value, text]) => h("option", { value }, text)));
}

/// Renews what a select offers; the chosen value stays, even where it is gone.
function offer(control, any, values) {
  const chosen = control.value;
  const offered = [...control.options].map((option) => option.value);
  if (offered.length > 0 && values.every((value, index) => offered[index + 1] === value)) return;
  control.replaceChildren(...[["", any], ...values.map((value) => [value, value])].map(([value, text]) => h("option", { value }, text)));
  choose(control, current().filters[control.getAttribute("aria-label").toLowerCase()] ?? chosen);
}

/// Chooses a value; one that is not offered, from an old link, is added.
function choose(control, value) {
  if (document.activeElement === control && control.value === value) return;
  if (value && ![...control.options].some((option) => option.value === value)) control.append(h("option", { value }, words(value)));
  control.value = value;
}

function localTime(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? "" : new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
