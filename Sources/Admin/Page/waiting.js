// Who waits: what is lacking, which routes, and why the first of each line waits.

import { remove } from "./api.js";
import { go, href, withRequest } from "./address.js";
import { confirm } from "./dialog.js";
import { h, keyed, onPlainClick, setAttribute, setText } from "./dom.js";
import { age, count, needs, words } from "./format.js";
import { mayChange, onTick, queue, since } from "./live.js";
import { notify } from "./notices.js";
import { panel } from "./parts.js";
import { table } from "./table.js";

export function waitingPanel() {
  const lacking = shares("Lacking", (share) => words(share.name));
  const routes = shares("Routes", (share) => share.name);
  const lines = table({
    caption: "Lines, and why the first request of each waits",
    key: (line) => [line.route, line.priority, needs(line.needs)].join("|"),
    empty: "Nothing waits.",
    columns: [
      { label: "Route", cell: routeCell, className: "main" },
      { label: "Waiting", numeric: true, text: (line) => count(line.depth) },
      { label: "Oldest", numeric: true, text: (line) => age(line.oldest_age + elapsed()) },
      { label: "Refused in", numeric: true, cell: deadlineCell },
      { label: "Why the first waits", cell: whyCell, className: "why" },
      { label: "Actions", hiddenLabel: true, cell: actionsCell, className: "actions" },
    ],
  });
  lines.say("Loading…");
  lines.update([]);

  const elapsed = () => (queue.value ? since(queue.value) : 0);
  const show = (now) => {
    lines.say("Nothing waits.");
    lacking.update(now.lacking, now);
    routes.update(now.routes.filter((route) => route.depth > 0), now);
    lines.update(now.lines);
  };
  queue.watch(show);
  onTick(() => queue.value?.depth > 0 && show(queue.value));
  return panel("Waiting", { id: "waiting" }, h("div", { class: "shares" }, lacking.node, routes.node), lines.node);
}

function routeCell(td) {
  const name = h("span", { class: "route" });
  const detail = h("span", { class: "muted" });
  td.append(name, detail);
  return (line) => {
    setText(name, line.route);
    setText(detail, `${needs(line.needs)}${line.priority === "live" ? "" : ` · ${line.priority}`}`);
  };
}

function whyCell(td) {
  const word = h("b", { class: "tag" });
  const text = h("span");
  td.append(word, " ", text);
  return (line) => {
    setText(word, words(line.why));
    setText(text, line.reserved_pod ? `${line.explanation}; ${line.reserved_pod} is reserved for it` : line.explanation);
  };
}

function deadlineCell(td) {
  return (line) => {
    // What a bulk replay made is not refused for having waited.
    const left = line.deadline_in === undefined ? Infinity : line.deadline_in - since(queue.value);
    setText(td, left === Infinity ? "–" : age(Math.max(left, 0)));
    td.classList.toggle("alarm", left < 5);
  };
}

function actionsCell(td) {
  let line;
  const open = h("a", { class: "button small", onclick: onPlainClick(() => go(withRequest(line.first))) }, "Show first");
  const cancel = h("button", { type: "button", class: "small change", onclick: () => cancelRequest(line.first) }, "Cancel first");
  td.append(open, cancel);
  return (next) => {
    line = next;
    open.hidden = cancel.hidden = !line.first;
    setAttribute(open, "href", line.first ? href(withRequest(line.first)) : null);
    setAttribute(open, "aria-label", `Show the first request of ${line.route}`);
    setAttribute(cancel, "aria-label", `Cancel the first request of ${line.route}`);
    cancel.hidden ||= !mayChange();
  };
}

/// Takes a request out of the queue, after asking.
export function cancelRequest(id) {
  return confirm({
    title: "Cancel this request?",
    text: `Its client gets 503 operator_cancelled at once. Request ${id}.`,
    label: "Cancel the request",
    cancel: "Let it wait",
    run: async () => {
      await remove(`/requests/${id}`);
      notify(`Request ${id} was cancelled.`);
    },
  });
}

/// Depth and oldest age by a name, as bars; the longest fills its row.
function shares(title, nameOf) {
  const list = h("ul");
  const sync = keyed(list, () => {
    const name = h("span", { class: "name" });
    const depth = h("b");
    const oldest = h("span", { class: "muted" });
    const bar = h("i", { "aria-hidden": "true" });
    const node = h("li", {}, bar, name, depth, oldest);
    return {
      node,
      update({ share, most, later }) {
        setText(name, nameOf(share));
        setText(depth, count(share.depth));
        setText(oldest, `oldest ${age(share.oldest_age + later)}`);
        bar.style.width = `${(share.depth / most) * 100}%`;
      },
    };
  });
  const node = h("div", { class: "share", hidden: true }, h("h3", {}, title), list);
  return {
    node,
    update(all, now) {
      node.hidden = all.length === 0;
      const most = Math.max(...all.map((share) => share.depth));
      const shown = all.toSorted((a, b) => b.depth - a.depth).slice(0, 8);
      sync(shown.map((share) => ({ share, most, later: since(now) })), (each) => each.share.name);
    },
  };
}
