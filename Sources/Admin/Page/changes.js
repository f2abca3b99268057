// What operators changed, newest first; and the database as a file.

import { get } from "./api.js";
import { onAddress } from "./address.js";
import { h } from "./dom.js";
import { time, words, zone } from "./format.js";
import { mayChange } from "./live.js";
import { button, panel } from "./parts.js";
import { table } from "./table.js";

export function showChanges(root) {
  let shown = [];
  let next = null;
  const rows = table({
    caption: "Changes, newest first",
    key: (change) => change.id,
    empty: "Loading…",
    columns: [
      { label: `Time, ${zone()}`, text: (change) => time(change.at), className: "when" },
      { label: "What", text: (change) => words(change.action) },
      { label: "Of", text: (change) => change.subject ?? "–", className: "main" },
      { label: "From", text: (change) => plain(change.from) },
      { label: "To", text: (change) => plain(change.to) },
      { label: "By", text: (change) => change.by ?? "–" },
      { label: "Client", text: (change) => change.client ?? "–" },
    ],
  });
  rows.update([]);
  const older = button("Older", () => load(next), "");
  older.hidden = true;
  const backup = h("a", { class: "button", href: "/admin/api/backup", download: "neutrino-backup.db", title: "A consistent copy, taken while the gateway runs" }, "Download a backup");
  root.append(panel("Changes", { id: "changes-list", beside: backup }, rows.node, h("div", { class: "pages" }, older)));

  async function load(before) {
    try {
      const page = await get(`/changes?limit=100${before ? `&before=${encodeURIComponent(before)}` : ""}`);
      shown = before ? [...shown, ...page.changes] : page.changes;
      next = page.next;
      rows.say("Nobody has changed anything yet.");
      rows.update(shown);
    } catch (problem) {
      rows.say(problem.status === 404 ? "This gateway keeps no list of changes." : problem.message);
    }
    older.hidden = !next;
  }
  onAddress(({ view }) => {
    backup.hidden = !mayChange();
    if (view === "changes") load();
  });
}

function plain(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
