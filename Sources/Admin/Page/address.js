// What is looked at is kept in the URL: the view, the filters of the log, its page, the request that is open. So a reload, a bookmark, the
// back button and a link sent to a colleague all show the same.

import { time } from "./format.js";

export const views = ["overview", "requests", "routes", "replays", "changes"];
/// Filters of the log, as the API names them. `since` may also be an age: `15m`, `6h`.
const filterNames = ["text", "state", "reason", "route", "pod", "status", "since", "until", "replay_of", "replay_job"];

const listeners = new Set();

export function current() {
  const query = new URLSearchParams(location.search);
  const filters = {};
  for (const name of filterNames) if (query.get(name)) filters[name] = query.get(name);
  const view = query.get("view");
  return {
    view: views.includes(view) ? view : "overview",
    request: query.get("request"),
    before: query.get("before"),
    filters,
  };
}

/// The address of something, for a link.
export function href({ view = "overview", filters = {}, before, request } = {}) {
  const query = new URLSearchParams();
  if (view !== "overview") query.set("view", view);
  for (const name of filterNames) if (filters[name]) query.set(name, filters[name]);
  if (before) query.set("before", before);
  if (request) query.set("request", request);
  const text = query.toString();
  return text ? `/admin?${text}` : "/admin";
}

/// Goes there. `replace` leaves no step for the back button: for what changes with every key press.
export function go(place, { replace = false } = {}) {
  const target = href(place);
  if (target !== location.pathname + location.search) window.history[replace ? "replaceState" : "pushState"](null, "", target);
  tell();
}

/// The same place with another request open, or none.
export const withRequest = (request) => ({ ...current(), request });

export function onAddress(listener) {
  listeners.add(listener);
}

export function tell() {
  const place = current();
  for (const listener of listeners) listener(place);
}

window.addEventListener("popstate", tell);

/// The filters as the API takes them: an age becomes a time.
export function absolute(filters) {
  const result = { ...filters };
  for (const name of ["since", "until"]) {
    const [, number, unit] = /^(\d+)([mhd])$/.exec(result[name] ?? "") ?? [];
    if (number) result[name] = new Date(Date.now() - number * { m: 6e4, h: 36e5, d: 864e5 }[unit]).toISOString();
  }
  return result;
}

/// The filters as a person reads them.
export function spoken(filters) {
  const value = (name) => (/^\d{4}-/.test(filters[name]) ? time(filters[name]) : filters[name].replaceAll(",", " or "));
  const parts = filterNames.filter((name) => filters[name]).map((name) => `${name.replace("_", " ")} ${value(name)}`);
  return parts.length > 0 ? parts.join(", ") : "every request";
}
