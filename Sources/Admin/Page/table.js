// Tables that update in place: rows are kept by key, so focus, selection and what is being edited survive.

import { h, keyed, setText } from "./dom.js";

/// `columns` are `{ label, text(item) | cell(td), numeric, wide, className }`: `cell` gets the cell once and returns `update(item)`.
/// `label` is the head's text, and on a narrow screen each cell's own. Returns `{ node, update(items), rowOf(key) }`.
///
/// The roles are spelled out because a table that is laid out as cards (as on a narrow screen) loses its own in some browsers.
export function table({ caption, columns, key, empty, rowClass, onRow }) {
  const heads = columns.map((column) =>
    h("th", { scope: "col", role: "columnheader", class: classOf(column) }, column.hiddenLabel ? h("span", { class: "unseen" }, column.label) : column.label));
  const body = h("tbody", { role: "rowgroup" });
  const node = h("table", { role: "table", "aria-label": caption },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads)), body);
  const note = h("p", { class: "empty" }, h("span", {}, empty ?? ""));
  const holder = h("div", { class: "table" }, node, note);
  const rows = new Map();
  const sync = keyed(body, make);

  function make(first) {
    const cells = columns.map((column) => h("td", { role: "cell", class: classOf(column), "data-label": column.label }));
    const updates = columns.map((column, index) => column.cell?.(cells[index]) ?? ((item) => setText(cells[index], column.text(item))));
    const row = h("tr", { role: "row" }, cells);
    const part = {
      node: row,
      item: first,
      update(item) {
        part.item = item;
        updates.forEach((update) => update(item));
        if (rowClass) row.className = rowClass(item);
      },
    };
    if (onRow) row.addEventListener("click", (event) => onRow(part.item, event));
    rows.set(key(first), part);
    return part;
  }

  return {
    node: holder,
    update(items) {
      sync(items, key);
      const keys = new Set(items.map(key));
      for (const each of rows.keys()) if (!keys.has(each)) rows.delete(each);
      node.hidden = items.length === 0;
      note.hidden = items.length > 0;
    },
    /// What is said instead of rows.
    say(text) { setText(note.firstChild, text); },
    rowOf: (each) => rows.get(each)?.node,
  };
}

function classOf({ numeric, className }) {
  return [numeric && "number", className].filter(Boolean).join(" ") || null;
}
