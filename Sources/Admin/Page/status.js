// What concerns the whole page: whether it is connected, whether dispatching is paused, whether the gateway is ending.

import { post } from "./api.js";
import { confirm } from "./dialog.js";
import { h, setText } from "./dom.js";
import { duration, plural } from "./format.js";
import { connection, mayChange, queue, routes } from "./live.js";
import { act } from "./notices.js";

export function showBanners(retry) {
  const lost = banner("alarm", h("button", { type: "button", class: "small", onclick: retry }, "Try now"));
  const paused = banner("warn", h("button", { type: "button", class: "small change", onclick: askToPauseOrResume }, "Resume"));
  const pausedRoutes = banner("warn");
  const draining = banner("warn");
  document.getElementById("banners").append(lost.node, paused.node, pausedRoutes.node, draining.node);
  const button = document.getElementById("pause");
  const sign = document.getElementById("connection");
  let lastLive = null;

  connection.watch(({ state }) => {
    document.documentElement.dataset.connection = state;
    setText(sign, { connecting: "connecting", live: "live", lost: "disconnected", refused: "signed out", resting: "resting" }[state]);
    if (state === "live") lastLive = Date.now();
    countDown();
  });

  /// Says when the next try is, while there is no connection.
  function countDown() {
    const { state, retryAt, problem } = connection.value;
    lost.show(state === "lost" && (problem?.status ? `The gateway refuses the events: ${problem.message}.` : "The gateway does not answer."), [
      lastLive ? `What you see is ${duration(Math.floor((Date.now() - lastLive) / 1000))} old.` : "",
      retryAt > Date.now() ? `Trying again in ${Math.ceil((retryAt - Date.now()) / 1000)} s.` : "Trying again…",
    ].join(" "));
    if (lastLive && state === "live") lastLive = Date.now();
  }
  setInterval(countDown, 1000);

  queue.watch((now) => {
    paused.show(now.paused && "Dispatching is paused: requests are held, none is sent to a pod.");
    draining.show(now.draining && "The gateway is ending: it finishes what it has and takes nothing new.");
    button.hidden = !mayChange();
    setText(button, now.paused ? "Resume" : "Pause");
  });
  routes.watch(({ routes: all }) => {
    const names = all.filter((route) => route.paused).map((route) => route.id);
    pausedRoutes.show(names.length > 0 && !queue.value?.paused && `${plural(names.length, "route is", "routes are")} paused: ${names.join(", ")}.`);
  });
}

/// `ticking` is for the eyes only: a region that is read out must not change each second.
function banner(kind, ...buttons) {
  const text = h("span");
  const clock = h("span", { "aria-hidden": "true" });
  const node = h("p", { class: `banner ${kind}`, role: kind === "alarm" ? "alert" : "status", hidden: true }, text, clock, buttons);
  return {
    node,
    show(words, ticking = "") {
      node.hidden = !words;
      setText(text, words || "");
      setText(clock, ticking);
    },
  };
}

export async function askToPauseOrResume() {
  if (!mayChange() || !queue.value) return;
  if (queue.value.paused) {
    await act(document.getElementById("pause"), () => post("/resume"), "Dispatching goes on.");
    return;
  }
  await confirm({
    title: "Pause dispatching?",
    text: "No request is sent to a pod until you resume. New ones are taken in and held; those held longer than their hold timeout are refused with 503, as always.",
    label: "Pause dispatching",
    run: () => post("/pause"),
  });
}
