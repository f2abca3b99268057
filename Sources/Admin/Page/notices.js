// Short messages at the edge of the page: what an action did, or why it did not. The region is a live one, so they are read out.

import { h } from "./dom.js";

const shownFor = { done: 5_000, failed: 15_000 };

export function notify(text, kind = "done") {
  const notice = h("div", { class: `notice ${kind}` }, h("span", {}, text),
    h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => notice.remove() }, "×"));
  document.getElementById("notices").append(notice);
  setTimeout(() => notice.remove(), shownFor[kind]);
}

/// Carries out a change, with its button off meanwhile, and tells how it went. Returns what the call answered; undefined when it failed.
export async function act(button, action, done) {
  button?.setAttribute("disabled", "");
  try {
    const result = await action();
    if (done) notify(typeof done === "function" ? done(result) : done);
    return result ?? true;
  } catch (problem) {
    notify(problem.message, "failed");
    return undefined;
  } finally {
    button?.removeAttribute("disabled");
  }
}
