// Removing ended requests by the log's filter, for good. Counted first, and asked for twice.

import { post } from "./api.js";
import { absolute, spoken } from "./address.js";
import { asOrder } from "./bulk.js";
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { notify } from "./notices.js";

/// `done` is called when some may be gone.
export function openPurge(filters, done) {
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
        try {
          const answer = await post("/purge", { filter, dry_run: false });
          notify(`${plural(answer.removed ?? 0, "request")} removed.`);
        } finally {
          done();
        }
      },
    }],
  });
  dialog.setEnabled(0, false);
  post("/purge", { filter, dry_run: true }).then((answer) => {
    outcome.textContent = answer.complete
      ? `${count(answer.matching)} would be removed.` : `At least ${count(answer.matching)} would be removed: not all of the log was looked at.`;
    dialog.setEnabled(0, answer.matching > 0 || !answer.complete);
  }, (problem) => {
    outcome.textContent = "";
    dialog.fail(problem.message);
  });
}
