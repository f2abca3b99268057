// The server's events (WHATWG HTML §9.2), read with fetch: unlike EventSource it tells a refusal from a lost connection, and a
// silence can be noticed. A lost stream is tried again with growing pauses.

import { ask } from "./api.js";

/// Milliseconds. The server sends something every 15 s at least.
const silence = 35_000;
const firstPause = 500;
const longestPause = 15_000;
/// A tab that nobody looks at for so long gives its connection back: browsers have six for a host, and the gateway 64 for all.
const restsAfter = 60_000;

/// Follows the gateway for good. `onEvent(name, data)`; `onState({ state, retryAt, problem })` with `live`, `lost`, `refused`, `resting`.
export class EventStream {
  #onEvent;
  #onState;
  #wake = () => {};
  #pause = firstPause;
  #control = new AbortController();
  #rest;
  #isResting = false;

  constructor(onEvent, onState) {
    this.#onEvent = onEvent;
    this.#onState = onState;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#rest);
      if (document.hidden) this.#rest = setTimeout(() => this.#giveBack(), restsAfter);
      else this.retry();
    });
    // A page that was left may be kept for the back button, its connections with it: six of those, and the next one waits for a minute.
    window.addEventListener("pagehide", () => this.#giveBack());
    window.addEventListener("pageshow", (event) => event.persisted && this.retry());
  }

  async run() {
    for (;;) {
      // Also where the time to rest came between two tries, when there was nothing to give back.
      const problem = this.#isResting ? null : await this.#follow().catch((problem) => problem);
      const state = problem?.status === 401 ? "refused" : this.#isResting ? "resting" : "lost";
      const wait = state === "lost" ? this.#pause * (0.75 + Math.random() / 2) : Infinity;
      this.#onState({ state, retryAt: Date.now() + wait, problem });
      this.#pause = Math.min(this.#pause * 2, longestPause);
      await this.#sleep(wait);
    }
  }

  /// Tries again at once. What waits for a login, or for someone to look, waits for this.
  retry() {
    this.#isResting = false;
    this.#pause = firstPause;
    this.#wake();
  }

  /// Has no connection until ``retry()``.
  #giveBack() {
    this.#isResting = true;
    this.#control.abort();
  }

  async #follow() {
    const control = (this.#control = new AbortController());
    let watch = setTimeout(() => control.abort(), silence);
    try {
      const answer = await ask("/admin/api/events", { signal: control.signal, headers: { Accept: "text/event-stream" } });
      this.#pause = firstPause;
      this.#onState({ state: "live" });
      const parser = new EventParser(this.#onEvent);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(() => control.abort(), silence);
        try {
          parser.push(value);
        } catch (error) {
          // A mistake of the page's, not a lost connection.
          reportError(error);
        }
      }
    } finally {
      clearTimeout(watch);
    }
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = Number.isFinite(milliseconds) ? setTimeout(resolve, milliseconds) : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/// Puts chunks of text together to events. Each `data` is JSON.
export class EventParser {
  #rest = "";
  #name = "message";
  #data = [];
  #onEvent;

  constructor(onEvent) {
    this.#onEvent = onEvent;
  }

  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();
    for (const line of lines) this.#take(line);
  }

  #take(line) {
    if (line === "") {
      if (this.#data.length > 0) this.#onEvent(this.#name, JSON.parse(this.#data.join("\n")));
      this.#name = "message";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    if (field === "data") this.#data.push(value);
  }
}
