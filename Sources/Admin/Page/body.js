// A body as it is best read: JSON laid out, text as it is, bytes as hex. Always as text nodes.

import { h, setText } from "./dom.js";
import { bytes, plural } from "./format.js";
import { button, copyButton } from "./parts.js";

/// `body` is `{ bytes, kind, text, base64, is_cut }`, or null for none.
export function bodyView(body) {
  if (!body) return h("p", { class: "muted" }, "none");
  if (body.kind === "removed") return h("p", { class: "muted" }, `${bytes(body.bytes)}, removed by retention`);
  if (body.kind === "spooled" && !body.text && !body.base64) return h("p", { class: "muted" }, `${bytes(body.bytes)}, kept in a file beside the database`);
  const raw = body.text ?? hex(decode(body.base64 ?? ""));
  const pretty = body.text === undefined || body.text === null || body.is_cut ? null : layOut(body.text);
  const shown = h("pre", { tabindex: "0", "aria-label": "Body" }, pretty ?? raw);
  let isPretty = pretty !== null;
  const toggle = pretty !== null && pretty !== raw && button("Raw", () => {
    isPretty = !isPretty;
    setText(shown, isPretty ? pretty : raw);
    setText(toggle, isPretty ? "Raw" : "Pretty");
  }, "small quiet");
  const kind = body.base64 ? "binary, as hex" : pretty !== null ? "JSON" : "text";
  const cut = body.is_cut ? `; the first ${bytes(lengthOf(body))} are shown` : "";
  return h("div", { class: "body" }, h("div", { class: "body-head muted" }, `${bytes(body.bytes)}, ${kind}${cut}`, h("span", { class: "buttons" }, toggle, copyButton(body.text ?? raw))), shown);
}

function lengthOf(body) {
  return body.base64 ? decode(body.base64).length : new TextEncoder().encode(body.text ?? "").length;
}

function decode(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/// Sixteen bytes a line: where, what, and what of it is ASCII.
export function hex(data) {
  const lines = [];
  for (let at = 0; at < data.length; at += 16) {
    const part = [...data.subarray(at, at + 16)];
    const codes = part.map((byte) => byte.toString(16).padStart(2, "0"));
    const left = codes.slice(0, 8).join(" ").padEnd(23);
    const text = part.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${left}  ${codes.slice(8).join(" ").padEnd(23)}  ${text}`);
  }
  return lines.join("\n");
}

/// JSON with line breaks and indentation; null for what is none. Its tokens stay as they were sent, so that no number is rounded and no
/// key that was sent twice is lost, as going through values would.
export function layOut(text) {
  try {
    if (typeof JSON.parse(text) !== "object") return null;
  } catch {
    return null;
  }
  let result = "";
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    const isEmpty = /[{[]\n\s*$/.test(result);
    if (token === "{" || token === "[") {
      depth += 1;
      result += token + line();
    } else if (token === "}" || token === "]") {
      depth -= 1;
      result = isEmpty ? result.trimEnd() + token : result + line() + token;
    } else if (token === ",") result += token + line();
    else result += token === ":" ? ": " : token;
  }
  return result;
}

/// What the panel's lists say where the body is not for this token's eyes.
export function hiddenBody(size) {
  return h("p", { class: "muted" }, size ? `${plural(size, "byte")}, not shown to a token that may only look` : "none");
}
