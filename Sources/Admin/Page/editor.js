// A value that is edited where it stands: a button becomes a field; Enter keeps it, Escape leaves it as it was.

import { h, setAttribute, setText } from "./dom.js";
import { mayChange } from "./live.js";
import { notify } from "./notices.js";

/// Fills a cell. `value(item)` is a number or null, `save(item, value)` a promise; null gives the value back to its configured source.
export function editor(td, { name, value, shown, source, given, unit, input, save }) {
  let item;
  const show = h("button", { type: "button", class: "value", onclick: begin });
  const text = h("span");
  const from = h("small", { class: "source" });
  const back = h("button", { type: "button", class: "small quiet", onclick: () => keep(null) });
  const field = h("input", { type: "number", required: true, inputmode: "decimal", ...input });
  const form = h("form", { class: "editor", hidden: true, onsubmit: submit },
    field, unit && h("span", { "aria-hidden": "true" }, unit),
    h("button", { type: "submit", class: "small" }, "Save"), h("button", { type: "button", class: "small quiet", onclick: () => end(true) }, "Cancel"));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    end(true);
  });
  td.append(show, text, from, back, form);

  function begin() {
    field.value = value(item) ?? "";
    setEditing(true);
    field.focus();
    field.select();
  }

  function setEditing(editing) {
    form.hidden = !editing;
    update(item);
  }

  function end(focus) {
    setEditing(false);
    if (focus) show.focus();
  }

  function submit(event) {
    event.preventDefault();
    keep(field.valueAsNumber);
  }

  async function keep(next) {
    try {
      await save(item, next);
      end(true);
      notify(next === null ? `${name(item)}: given back.` : `${name(item)}: ${next}.`);
    } catch (problem) {
      notify(problem.message, "failed");
      field.focus();
    }
  }

  function update(next) {
    item = next;
    const editing = !form.hidden;
    show.hidden = editing || !mayChange();
    text.hidden = editing || mayChange();
    setText(show, shown(item));
    setText(text, shown(item));
    setAttribute(show, "aria-label", `${name(item)}: ${shown(item)}. Edit`);
    setAttribute(field, "aria-label", name(item));
    from.hidden = editing;
    setText(from, source(item));
    back.hidden = editing || !mayChange() || source(item) !== "operator";
    setText(back, given(item));
    setAttribute(back, "aria-label", `${name(item)}: ${given(item)}`);
  }
  return update;
}
