// A value that is edited where it stands: a button becomes a field; Enter keeps it, Escape leaves it as it was.

import { h, setAttribute, setText } from "./dom.js";
import { mayChange } from "./live.js";
import { notify } from "./notices.js";

/// Fills a cell. `text(item)` is what the field begins with; `parse(text)` a number, or null where it is none; `written(value)` how a person
/// reads it, `accepted` what may be written. `save(item, value)` is a promise, of false where it was not saved after all; null gives the
/// value back to its configured source.
export function editor(td, { name, text: begun, shown, source, given, parse, written, accepted, save }) {
  let item;
  const show = h("button", { type: "button", class: "value", onclick: begin });
  const text = h("span");
  const from = h("small", { class: "source" });
  const back = h("button", { type: "button", class: "small quiet", onclick: () => keep(null) });
  const field = h("input", { type: "text", required: true, size: 8, spellcheck: "false", autocomplete: "off" });
  // Of a value with a unit it is said how it was understood, before it is kept.
  const understood = h("small", { class: "source", role: "status" });
  field.addEventListener("input", understand);
  const form = h("form", { class: "editor", hidden: true, onsubmit: submit },
    field, understood,
    h("button", { type: "submit", class: "small" }, "Save"), h("button", { type: "button", class: "small quiet", onclick: () => end(true) }, "Cancel"));
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    end(true);
  });
  td.append(show, text, from, back, form);

  function begin() {
    field.value = begun(item);
    understand();
    setEditing(true);
    field.focus();
    field.select();
  }

  function understand() {
    const next = parse(field.value.trim());
    field.setCustomValidity(next === null ? `Accepted: ${accepted}` : "");
    setText(understood, next === null ? accepted : `= ${written(next)}`);
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
    keep(parse(field.value.trim()));
  }

  async function keep(next) {
    try {
      if ((await save(item, next)) === false) return;
      end(true);
      notify(next === null ? `${name(item)}: given back.` : `${name(item)}: ${written(next)}.`);
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
