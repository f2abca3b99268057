// Bulk replays: how far each is, and what it is held by.

import { get, post, remove } from "./api.js";
import { go, href, onAddress, spoken } from "./address.js";
import { confirm, field, openDialog } from "./dialog.js";
import { h, onPlainClick, setAttribute, setText } from "./dom.js";
import { count, plural, rate, time, words } from "./format.js";
import { jobs, mayChange } from "./live.js";
import { act } from "./notices.js";
import { button, panel, stateBadge } from "./parts.js";
import { table } from "./table.js";

export function showJobs(root) {
  let known = [];
  const rows = table({
    caption: "Bulk replays",
    key: (job) => job.id,
    empty: "Loading…",
    columns: [
      { label: "Begun", text: (job) => time(job.created_at), className: "when" },
      { label: "State", cell: stateCell },
      { label: "Requests with", cell: filterCell, className: "main" },
      { label: "Progress", cell: progressCell, className: "progress" },
      { label: "Actions", hiddenLabel: true, cell: actionsCell, className: "actions" },
    ],
  });
  rows.update([]);
  root.append(panel("Bulk replays", { id: "jobs", beside: h("span", { class: "muted" }, "Begin one from the log: filter it, then “Replay all that match”.") }, rows.node));

  async function load() {
    try {
      known = (await get("/replays")).replays;
      rows.say("None yet.");
      rows.update(known);
    } catch (problem) {
      rows.say(problem.status === 404 ? "This gateway has no bulk replays." : problem.message);
    }
  }
  onAddress(({ view }) => view === "replays" && load());
  jobs.watch(({ replays }) => {
    const told = new Map(replays.map((job) => [job.id, job]));
    const isNew = replays.filter((job) => !known.some((each) => each.id === job.id));
    known = [...isNew, ...known.map((job) => told.get(job.id) ?? job)];
    rows.update(known);
  });

  function actionsCell(td) {
    let job;
    const verb = (name, done) => async (event) => {
      await act(event.currentTarget, () => post(`/replays/${job.id}/${name}`), done);
      load();
    };
    const pause = button("Pause", verb("pause", "The bulk replay is paused."), "small change");
    const goOn = verb("resume", "The bulk replay goes on.");
    const resume = button("Resume", (event) => (job.headers?.length > 0 ? askForCredentials(job, load) : goOn(event)), "small change");
    const cancel = button("Cancel", async () => {
      await confirm({ title: "Cancel this bulk replay?", text: "What was sent stays sent; the rest is left out.", label: "Cancel the replay", cancel: "Let it go on", run: () => remove(`/replays/${job.id}`) });
      load();
    }, "small change danger quiet");
    td.append(pause, resume, cancel);
    return (next) => {
      job = next;
      pause.hidden = !mayChange() || job.state !== "running";
      resume.hidden = !mayChange() || job.state !== "paused";
      cancel.hidden = !mayChange() || !isOpen(job);
    };
  }
}

/// Credentials are in the gateway's memory only: after a restart, a bulk replay that had some waits for them.
function askForCredentials(job, done) {
  const inputs = job.headers.map((name) => ({ name, input: h("input", { type: "password", autocomplete: "off" }) }));
  openDialog({
    title: "Resume this bulk replay",
    body: [
      inputs.map(({ name, input }) => field(name, input)),
      h("p", { class: "muted" }, "All of them, or none: then they are as they were supplied before, unless the gateway was started anew since."),
    ],
    actions: [{
      label: "Resume",
      kind: "primary",
      run: async () => {
        const given = inputs.filter(({ input }) => input.value).map(({ name, input }) => [name, input.value]);
        if (given.length > 0 && given.length < inputs.length) throw new Error("Fill in all of them, or none.");
        await post(`/replays/${job.id}/resume`, given.length > 0 ? { headers: Object.fromEntries(given) } : {});
        done();
      },
    }],
  });
}

const isOpen = (job) => job.state === "running" || job.state === "paused";
const requestsOf = (job) => ({ view: "requests", filters: { replay_job: job.id } });

function stateCell(td) {
  const badge = stateBadge();
  td.append(badge.node);
  return (job) => {
    badge.update(job.state, null);
    // Finished is good only where all that was sent completed.
    if (job.state === "finished" && job.completed - job.server_errors < job.queued) setAttribute(badge.node, "data-state", "failed");
    setAttribute(td, "title", job.detail);
  };
}

function filterCell(td) {
  let job;
  const link = h("a", { onclick: onPlainClick(() => go(requestsOf(job))) });
  const detail = h("span", { class: "muted" });
  td.append(link, detail);
  return (next) => {
    job = next;
    const lists = Object.fromEntries(Object.entries(job.filter).filter(([, value]) => value !== null).map(([name, value]) => [name, [value].flat().join(",")]));
    setText(link, spoken(lists));
    setAttribute(link, "href", href(requestsOf(job)));
    setText(detail, [`${rate(job.rate)}/s`, `at most ${count(job.max)}`, job.confirm && "confirmed", job.detail].filter(Boolean).join(" · "));
  };
}

function progressCell(td) {
  const bar = h("progress", { max: 1, "aria-label": "Progress" });
  const text = h("span", { class: "muted" });
  td.append(bar, text);
  return (job) => {
    const skipped = job.skipped.reduce((sum, each) => sum + each.count, 0);
    const target = Math.max(Math.min(job.matching, job.max), job.queued + skipped, 1);
    const settled = job.completed + job.failed + job.interrupted + skipped;
    bar.value = job.state === "finished" ? 1 : settled / target;
    const parts = [`${count(settled)} of ${job.complete === false && isOpen(job) ? "≥ " : ""}${count(target)}`, `${count(job.completed)} completed`,
      job.server_errors > 0 && `${count(job.server_errors)} of them with 5xx`,
      job.failed > 0 && `${count(job.failed)} failed`, job.interrupted > 0 && `${count(job.interrupted)} interrupted`,
      job.waiting > 0 && `${count(job.waiting)} waiting`, job.dispatched > 0 && `${count(job.dispatched)} with pods`,
      ...job.skipped.map((each) => `${plural(each.count, "request")} left out: ${words(each.reason)}`)];
    setText(text, parts.filter(Boolean).join(" · "));
  };
}
