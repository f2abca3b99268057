// Sending one request again: as it was, or edited. Credentials are never kept, so they are asked for.

import { post } from "./api.js";
import { go, withRequest } from "./address.js";
import { field, openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { notify } from "./notices.js";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const idempotent = new Set(["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]);
/// States of requests that no pod ever began.
const neverRan = new Set(["expired", "abandoned", "rejected"]);

/// `entry` is a request as the API shows it.
export function openReplay(entry) {
  const { request } = entry;
  const credentials = [...new Set(entry.withheld)].map((name) => ({ name, input: h("input", { type: "password", autocomplete: "off", required: true }) }));
  // Those of the query are named with the "?" that they stand behind, and go back into the path; the others are header fields.
  const fields = credentials.filter(({ name }) => !name.startsWith("?"));
  const parameters = credentials.filter(({ name }) => name.startsWith("?")).map((each) => ({ ...each, name: each.name.slice(1) }));
  const mayHaveRun = !neverRan.has(request.state) && !idempotent.has(request.method);
  const confirmed = h("input", { type: "checkbox", id: "replay-confirm", required: mayHaveRun });
  const confirmation = h("label", { class: "check", hidden: !mayHaveRun }, confirmed,
    `It may have run already, and ${request.method} is not safe to repeat: send it all the same`);
  const edit = editPart(entry, () => {
    for (const { name, input } of parameters) input.required = isLacking(edit.path(), name);
  });
  openDialog({
    title: "Replay this request",
    wide: true,
    body: [
      h("p", {}, h("b", {}, request.method), " ", h("span", { class: "path" }, request.path)),
      h("p", { class: "muted" }, "It goes through the queue as a new request, behind all live traffic, and is linked with this one."),
      credentials.map(({ name, input }) => field(name, input, "came with the request and was not kept; supply it to send it again")),
      edit.node,
      confirmation,
    ],
    actions: [{ label: "Replay", kind: "primary", run }],
  });

  async function run() {
    const headers = { ...edit.headers(), ...Object.fromEntries(fields.map(({ name, input }) => [name, input.value])) };
    const path = parameters.reduce((path, { name, input }) => withParameter(path, name, input.value), edit.path());
    const order = { confirm: confirmed.checked, headers, ...edit.changes(), ...(path !== request.path && { path }) };
    try {
      const answer = await post(`/requests/${request.id}/replay`, order);
      notify(`Replayed as ${answer.id}.`);
      go(withRequest(answer.id));
    } catch (problem) {
      // The gateway knows better whether it may have run.
      if (problem.reason === "confirmation_needed") {
        confirmation.hidden = false;
        confirmed.required = true;
      }
      throw problem;
    }
  }
}

/// Where a parameter's value was not kept: behind its name, which is as it came.
const lackingPlace = (name) => new RegExp(`([?&;]${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}=)\\*\\*\\*(?=&|$)`, "g");
const isLacking = (path, name) => lackingPlace(name).test(path);

/// The path with the value of a parameter that was not kept.
export function withParameter(path, name, value) {
  return path.replace(lackingPlace(name), (_, begin) => begin + encodeURIComponent(value));
}

/// Method, path, header fields and body, folded away; only what was changed is sent.
function editPart({ request, body }, onPath) {
  const method = h("select", {}, [...new Set([...methods, request.method])].map((name) => h("option", { value: name }, name)));
  method.value = request.method;
  const path = h("input", { type: "text", value: request.path, pattern: "/.*", spellcheck: "false", autocomplete: "off" });
  path.addEventListener("input", onPath);
  const fields = h("textarea", { rows: 3, spellcheck: "false", placeholder: "Name: value" });
  const isWhole = body?.kind === "kept" && typeof body.text === "string" && !body.is_cut;
  const text = h("textarea", { rows: 8, spellcheck: "false" });
  text.value = isWhole ? body.text : "";
  const replaces = h("input", { type: "checkbox" });
  text.addEventListener("input", () => { replaces.checked = true; });
  const node = h("details", { class: "edit" }, h("summary", {}, "Edit before sending"),
    h("div", { class: "field-row" }, field("Method", method), field("Path", path)),
    field("Header fields in place of, or beside, those that it came with", fields, "one a line"),
    field("Body", text, isWhole || !body ? null : "the whole body is not shown here; what you write replaces it"),
    h("label", { class: "check" }, replaces, "Send this body instead of the one that was kept"));
  return {
    node,
    path: () => path.value,
    changes() {
      const changes = {};
      if (method.value !== request.method) changes.method = method.value;
      if (replaces.checked) changes.body = text.value;
      return changes;
    },
    headers() {
      const lines = fields.value.split("\n").map((line) => line.trim()).filter(Boolean);
      return Object.fromEntries(lines.map((line) => {
        const colon = line.indexOf(":");
        if (colon < 1) throw new Error(`"${line}" is no header field; write it as Name: value`);
        return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
      }));
    },
  };
}
