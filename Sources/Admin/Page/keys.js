// Single-key shortcuts: listed under ?, and off on request (WCAG 2.1.4), for those whose software types for them.

import { openDialog } from "./dialog.js";
import { h } from "./dom.js";

const shortcuts = [];
let isOn = true;
try {
  isOn = localStorage.getItem("shortcuts") !== "off";
} catch { /* Storage is off: they are on. */ }

/// Several keys that do related things share a line of the list: `keys` are `[key, action]`.
export function shortcut(label, ...keys) {
  shortcuts.push({ label, keys });
}

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  const isTyping = event.target.closest("input, textarea, select");
  const [, action] = shortcuts.flatMap((each) => each.keys).find(([key]) => key === event.key) ?? [];
  if (!action || (event.key !== "Escape" && (isTyping || !isOn))) return;
  event.preventDefault();
  if (isTyping) event.target.blur();
  else action(event);
});

export function showShortcuts() {
  const single = h("input", { type: "checkbox" });
  single.checked = isOn;
  single.addEventListener("change", () => {
    isOn = single.checked;
    try {
      localStorage.setItem("shortcuts", isOn ? "on" : "off");
    } catch { /* It lasts as long as the page. */ }
  });
  openDialog({
    title: "Keyboard shortcuts",
    body: [
      h("dl", { class: "keys" }, shortcuts.map(({ label, keys }) => h("div", {},
        h("dt", {}, keys.map(([key], index) => [index > 0 && " ", h("kbd", {}, names[key] ?? key)])), h("dd", {}, label)))),
      h("label", { class: "check" }, single, "Shortcuts of a single key"),
    ],
    actions: [],
    cancel: "Close",
  });
}

const names = { Escape: "Esc", ArrowDown: "↓", ArrowUp: "↑" };
