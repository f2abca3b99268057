// Modal dialogs on the browser's own <dialog>: it keeps the focus inside, closes on Escape, and gives the focus back.

import { h } from "./dom.js";

let number = 0;

/// Opens a dialog. `actions` are `{ label, kind, run }`; `run()` returning false, or failing, leaves it open, with what went wrong shown.
/// Returns `{ node, close, fail, setEnabled }`.
export function openDialog({ title, body, actions, wide = false, cancel = "Cancel", onClose }) {
  const titleID = `dialog-${(number += 1)}`;
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const buttons = actions.map((action) =>
    h("button", { type: action.submits === false ? "button" : "submit", class: action.kind ?? "", onclick: (event) => take(event, action) }, action.label));
  const form = h("form", { method: "dialog" },
    h("h2", { id: titleID }, title), h("div", { class: "dialog-body" }, body), problem,
    h("div", { class: "dialog-actions" }, buttons, cancel && h("button", { type: "button", class: "quiet", onclick: () => close() }, cancel)));
  const node = h("dialog", { class: wide ? "wide" : "", "aria-labelledby": titleID }, form);

  async function take(event, action) {
    event.preventDefault();
    if (!form.reportValidity()) return;
    fail(null);
    const button = event.currentTarget;
    button.disabled = true;
    try {
      if ((await action.run()) !== false) close();
    } catch (error) {
      fail(error.message);
    } finally {
      button.disabled = false;
    }
  }

  function fail(text) {
    problem.hidden = !text;
    problem.textContent = text ?? "";
  }

  function close() {
    if (node.open) node.close();
  }

  node.addEventListener("close", () => {
    node.remove();
    onClose?.();
  });
  document.body.append(node);
  node.showModal();
  return { node, close, fail, setEnabled: (index, enabled) => { buttons[index].hidden = !enabled; } };
}

/// Asks before something that other people will notice. Resolves to whether it was done.
export function confirm({ title, text, label, cancel, kind = "danger", run }) {
  return new Promise((resolve) => {
    let done = false;
    openDialog({
      title,
      cancel,
      body: h("p", {}, text),
      actions: [{ label, kind, run: async () => { await run(); done = true; } }],
      onClose: () => resolve(done),
    });
  });
}

/// A labelled control of a form, with a line of help below it.
export function field(label, control, help) {
  return h("label", { class: "field" }, h("span", {}, label), control, help && h("small", {}, help));
}
