// Small parts that several panels share.

import { h, setAttribute, setText } from "./dom.js";
import { words } from "./format.js";

/// A panel: a section with its heading, something beside the heading, and a body.
export function panel(title, { id, beside, className = "" } = {}, ...body) {
  const heading = h("h2", { id: `${id}-title` }, title);
  return h("section", { class: `panel ${className}`, "aria-labelledby": `${id}-title` }, h("div", { class: "panel-head" }, heading, beside), body);
}

/// A state as a coloured dot and its word, with its reason where that adds something.
export function stateBadge() {
  const word = h("b");
  const reason = h("span", { class: "muted" });
  const node = h("span", { class: "state" }, word, reason);
  return {
    node,
    update(state, why) {
      setAttribute(node, "data-state", state);
      setText(word, words(state));
      setText(reason, why && why !== "ok" ? ` ${words(why)}` : "");
    },
  };
}

/// A list of names and values; values are nodes or text, and those that are null are left out.
export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/// A figure with its name above it.
export function tile(label) {
  const value = h("b");
  const note = h("small");
  return {
    node: h("div", { class: "tile" }, h("span", {}, label), value, note),
    update(text, below = "", alarming = false) {
      setText(value, text);
      setText(note, below);
      value.classList.toggle("alarm", alarming);
    },
  };
}

/// A button of a row.
export function button(label, onclick, kind = "small") {
  return h("button", { type: "button", class: kind, onclick }, label);
}

/// Copies a text; the button says so. Browsers let only pages of TLS or loopback write there: elsewhere there is no button.
export function copyButton(text) {
  if (!navigator.clipboard) return null;
  const node = button("Copy", async () => {
    await navigator.clipboard.writeText(text);
    setText(node, "Copied");
    setTimeout(() => setText(node, "Copy"), 1500);
  }, "small quiet");
  return node;
}
