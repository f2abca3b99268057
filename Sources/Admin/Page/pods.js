// The pods: what each has and who uses it, how old its sample is, its breaker, and what an operator may do with it.

import { post, segment } from "./api.js";
import { h, setAttribute, setText } from "./dom.js";
import { age, amount, count, plural, words } from "./format.js";
import { mayChange, onTick, pods, since, takePod } from "./live.js";
import { confirm } from "./dialog.js";
import { act } from "./notices.js";
import { button, panel } from "./parts.js";
import { table } from "./table.js";

export function podsPanel() {
  const rows = table({
    caption: "Pods",
    key: (pod) => pod.id,
    empty: "Loading…",
    rowClass: (pod) => (pod.routable ? "" : "faded"),
    columns: [
      { label: "Pod", cell: nameCell, className: "main" },
      { label: "CPU", cell: barCell("cpus", "CPUs"), className: "bar-cell" },
      { label: "GPU", cell: barCell("gpus", "GPUs"), className: "bar-cell" },
      { label: "Memory, GB", cell: barCell("memory_gb", "GB of memory"), className: "bar-cell" },
      { label: "Leases", numeric: true, cell: leasesCell },
      { label: "Sample", numeric: true, cell: sampleCell },
      { label: "Answered", numeric: true, cell: countsCell },
      { label: "Actions", hiddenLabel: true, cell: actionsCell, className: "actions" },
    ],
  });
  rows.update([]);
  const trouble = h("div", { class: "discovery" });
  const show = ({ pods: all, discovery }) => {
    rows.say("There is no pod yet. Requests are held; discovery goes on.");
    rows.update(all);
    showTrouble(trouble, discovery);
  };
  pods.watch(show);
  onTick(() => pods.value && show(pods.value));
  const legend = h("span", { class: "bar-legend" },
    h("span", { class: "ours" }, "used by us"), h("span", { class: "others" }, "by others"), h("span", { class: "free" }, "free"));
  return panel("Pods", { id: "pods", beside: legend }, trouble, rows.node);
}

/// What keeps pods from being found or used, a line each; others that are not used, in one.
function showTrouble(node, { problem, skipped }) {
  const name = (pod) => [pod.namespace, pod.name].filter(Boolean).join("/");
  const lines = skipped.filter((pod) => pod.mistake).map((pod) => `${name(pod)} is not used: ${pod.reason}`);
  if (problem) lines.unshift(`Discovery: ${problem}`);
  const others = skipped.filter((pod) => !pod.mistake).map((pod) => `${name(pod)} (${pod.reason.replace(/^it is /, "")})`);
  const shown = JSON.stringify([lines, others]);
  if (node.dataset.shown === shown) return;
  node.dataset.shown = shown;
  const quiet = others.length > 0 ? h("p", { class: "muted" }, `Not used now: ${others.slice(0, 20).join(", ")}${others.length > 20 ? ` and ${others.length - 20} more` : ""}`) : null;
  node.replaceChildren(...[...lines.map((line) => h("p", { class: "alarm-text" }, line)), quiet].filter(Boolean));
}

function nameCell(td) {
  const name = h("b");
  const state = h("span", { class: "pod-state" });
  const detail = h("span", { class: "muted" });
  td.append(h("span", { class: "pod-name" }, name, state), detail);
  return (pod) => {
    const [word, kind] = condition(pod);
    setText(name, pod.name ?? pod.url);
    setText(state, word);
    setAttribute(state, "data-kind", kind);
    setText(detail, [pod.name && pod.url, pod.namespace, pod.node, pod.reserved_for_route && `reserved for ${pod.reserved_for_route}`,
      pod.poll_problem].filter(Boolean).join(" · "));
  };
}

/// A pod's condition in a word, and how bad it is.
function condition(pod) {
  if (pod.gone) return ["gone, finishing", "bad"];
  if (pod.draining) return ["draining", "off"];
  if (!pod.healthy) return [`unhealthy, ${plural(pod.failed_polls, "poll")} failed`, "bad"];
  if (pod.stale) return ["stale sample", "bad"];
  if (pod.breaker !== "closed") {
    return [`breaker ${words(pod.breaker)}${pod.breaker_reopens_in > 0 ? `, ${age(Math.max(pod.breaker_reopens_in - since(pods.value), 0))}` : ""}`, "bad"];
  }
  return pod.routable ? ["ready", "good"] : ["no sample yet", "off"];
}

function barCell(dimension, unit) {
  return (td) => {
    const ours = h("i", { class: "ours" });
    const others = h("i", { class: "others" });
    const bar = h("span", { class: "bar", role: "img" }, ours, others);
    const text = h("span", { class: "bar-text" });
    td.append(bar, text);
    return (pod) => {
      const total = pod.total?.[dimension] ?? 0;
      const free = Math.max(pod.available?.[dimension] ?? 0, 0);
      const used = pod.leased[dimension];
      const foreign = Math.max(total - free - used, 0);
      const share = (part) => (total > 0 ? `${Math.min(part / total, 1) * 100}%` : "0");
      bar.hidden = total === 0;
      ours.style.width = share(used);
      others.style.width = share(foreign);
      setAttribute(bar, "aria-label", `${amount(used)} used by us, ${amount(foreign)} by others, ${amount(free)} free of ${amount(total)} ${unit}`);
      setAttribute(td, "title", total > 0 ? bar.getAttribute("aria-label") : null);
      setText(text, total > 0 ? `${amount(free)} of ${amount(total)}${pod.total_reported ? "" : "?"}` : pod.total ? "none" : "–");
    };
  };
}

function leasesCell(td) {
  return (pod) => setText(td, pod.total_workers === undefined || pod.total_workers === null
    ? count(pod.leases) : `${count(pod.leases)} · ${pod.idle_workers ?? "?"}/${pod.total_workers} idle`);
}

function sampleCell(td) {
  return (pod) => {
    const known = pod.sample_age !== null && pod.sample_age !== undefined;
    setText(td, known ? age(pod.sample_age + since(pods.value)) : "–");
    td.classList.toggle("alarm", pod.stale);
  };
}

function countsCell(td) {
  const good = h("span");
  const bad = h("span", { class: "alarm-text" });
  td.append(good, bad);
  return ({ counts }) => {
    const broken = { "server errors": counts.server_errors, "connections failed": counts.connect_failed, "timed out": counts.timeouts, reset: counts.resets };
    const total = Object.values(broken).reduce((sum, each) => sum + each, 0);
    setText(good, count(counts.answered));
    setText(bad, total > 0 ? ` ${count(total)} failed` : "");
    setAttribute(td, "title", [...Object.entries({ ...broken, "answered busy": counts.busy, "aborted by clients": counts.aborted, "polls failed": counts.polls_failed })]
      .map(([name, each]) => `${each} ${name}`).join(", "));
  };
}

function actionsCell(td) {
  let pod;
  const change = (verb, done) => async (event) => {
    const answer = await act(event?.currentTarget, () => post(`/pods/${segment(pod.id)}/${verb}`), done(pod.name ?? pod.url));
    if (answer?.id) takePod(answer);
  };
  const drainNow = change("drain", (name) => `${name} gets nothing new; it finishes what it has.`);
  const drain = button("Drain", (event) => {
    if (!pod.routable || pods.value.pods.some((each) => each.routable && each.id !== pod.id)) return drainNow(event);
    return confirm({
      title: "Drain the last pod that is ready?",
      text: "No other pod takes requests now: they are held until one does, and refused when their hold timeout passes.",
      label: "Drain it",
      run: () => drainNow(),
    });
  }, "small change");
  const undrain = button("Undrain", change("undrain", (name) => `${name} takes requests again.`), "small change");
  const reset = button("Reset", change("reset", (name) => `The breaker of ${name} is closed.`), "small change");
  td.append(drain, undrain, reset);
  return (next) => {
    pod = next;
    const name = pod.name ?? pod.url;
    for (const [each, verb] of [[drain, "Drain"], [undrain, "Undrain"], [reset, "Reset the breaker of"]]) setAttribute(each, "aria-label", `${verb} ${name}`);
    drain.hidden = !mayChange() || pod.draining || pod.gone;
    undrain.hidden = !mayChange() || !pod.draining;
    reset.hidden = !mayChange() || pod.breaker === "closed";
  };
}
