// Removing ended requests by the log's filter, for good. Counted first, and asked for twice.

import { post } from "./api.js";
import { absolute, spoken, tell } from "./address.js";
import { asOrder } from "./bulk.js";
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { notify } from "./notices.js";

export function openPurge(filters) {
  const filter = asOrder(absolute(filters));
  const outcome = h("p", { "aria-live": "polite" }, "Counting…");
  const sure = h("input", { type: "checkbox", required: true });
  const dialog = openDialog({
    title: "Purge requests",
    body: [
      h("p", {}, "Ended requests with: ", h("b", {}, spoken(filters))),
      outcome,
      h("label", { class: "check" }, sure, "Remove them, their bodies and their answers, for good"),
    ],
    actions: [{
      label: "Purge",
      kind: "danger",
      run: async () => {
        const answer = await post("/purge", { filter, dry_run: false });
        notify(`${plural(answer.removed ?? answer.matching ?? 0, "request")} removed.`);
        tell();
      },
    }],
  });
  dialog.setEnabled(0, false);
  post("/purge", { filter, dry_run: true }).then((answer) => {
    outcome.textContent = `${answer.complete === false ? "At least " : ""}${count(answer.matching)} would be removed.`;
    dialog.setEnabled(0, answer.matching > 0);
  }, (problem) => {
    outcome.textContent = "";
    dialog.fail(problem.message);
  });
}
