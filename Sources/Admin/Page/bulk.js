// Sending many requests again, by the log's filter: a dry run first, then a job that goes on by itself.

import { post } from "./api.js";
import { absolute, go, spoken } from "./address.js";
import { field, openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { count, plural, time, words } from "./format.js";
import { notify } from "./notices.js";

export function openBulkReplay(filters) {
  const filter = asOrder(absolute(filters));
  const rate = h("input", { type: "number", min: 0.1, max: 10000, step: "any", value: 10, required: true });
  const most = h("input", { type: "number", min: 1, max: 1000000, step: 1, value: 10000, required: true });
  const confirmed = h("input", { type: "checkbox" });
  const credentials = credentialRows();
  const outcome = h("div", { class: "outcome", "aria-live": "polite" }, h("p", { class: "muted" }, "Counting…"));
  let counting = 0;

  const dialog = openDialog({
    title: "Replay all that match",
    wide: true,
    body: [
      h("p", {}, "Requests with: ", h("b", {}, spoken(filters))),
      h("div", { class: "field-row" }, field("Per second", rate), field("At most", most)),
      h("label", { class: "check" }, confirmed, "Also those that may have run and are not safe to repeat"),
      credentials.node,
      outcome,
    ],
    actions: [{ label: "Replay them", kind: "primary", run: start }],
  });
  dialog.setEnabled(0, false);
  for (const input of [most, confirmed, credentials.node]) input.addEventListener("change", dryRun);
  dryRun();

  function order() {
    return { filter, rate: rate.valueAsNumber, max: most.valueAsNumber, confirm: confirmed.checked, headers: credentials.headers() };
  }

  async function dryRun() {
    const number = (counting += 1);
    try {
      const answer = await post("/replays", { ...order(), dry_run: true });
      if (number !== counting) return;
      outcome.replaceChildren(...describe(answer, most.valueAsNumber));
      dialog.setEnabled(0, answer.replayable > 0 || !answer.complete);
      dialog.fail(null);
    } catch (problem) {
      if (number !== counting) return;
      outcome.replaceChildren();
      dialog.fail(problem.message);
    }
  }

  async function start() {
    await post("/replays", order());
    notify("The bulk replay has begun.");
    go({ view: "replays" });
  }
}

/// Header fields in place of those that were not kept: as many as are needed, one below the other.
function credentialRows() {
  const rows = [];
  const list = h("div");
  const another = h("button", { type: "button", class: "small", onclick: () => add().name.focus() }, "Another");
  function add() {
    const row = {
      name: h("input", { type: "text", placeholder: rows.length === 0 ? "Authorization" : "Cookie", autocomplete: "off", spellcheck: "false" }),
      value: h("input", { type: "password", autocomplete: "off" }),
    };
    rows.push(row);
    list.append(h("div", { class: "field-row" }, field("Header field", row.name), field("Value", row.value)));
    return row;
  }
  add();
  return {
    node: h("details", { class: "edit" }, h("summary", {}, "Supply credentials, which are never kept"), list, h("div", {}, another)),
    headers: () => Object.fromEntries(rows.filter(({ name, value }) => name.value.trim() && value.value).map(({ name, value }) => [name.value.trim(), value.value])),
  };
}

/// The log's filters as a call's: states and reasons as lists.
export function asOrder(filters) {
  const { state, reason, ...rest } = filters;
  const list = (text) => text?.split(",").filter(Boolean);
  return { ...rest, ...(state && { state: list(state) }), ...(reason && { reason: list(reason) }) };
}

function describe({ matching, complete, replayable, refused, first }, most) {
  const bound = replayable > most ? `; ${count(most)} of them will be` : "";
  return [
    h("p", {}, h("b", {}, `${complete ? "" : "At least "}${plural(matching, "request")}`), ` match, ${count(replayable)} can be replayed${bound}${complete ? "." : "; not all of the log was looked at."}`),
    refused.length > 0 && h("ul", { class: "plain" }, refused.map(({ reason, count: number }) => h("li", {}, `${count(number)} cannot: ${words(reason)}`))),
    first.length > 0 && h("table", { class: "fields", "aria-label": "The first that match" }, h("tbody", {}, first.map((request) =>
      h("tr", {}, h("td", { class: "when" }, time(request.accepted_at)), h("td", {}, words(request.state)), h("td", {}, `${request.method} ${request.path}`))))),
  ].filter(Boolean);
}
