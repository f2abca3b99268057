// The server's events (WHATWG HTML §9.2), read with fetch: unlike EventSource it tells a refusal from a lost connection, and a
// silence can be noticed. A lost stream is tried again with growing pauses; without such a call the page polls instead.

import { ask, get } from "./api.js";

/// Milliseconds. The server sends something every 15 s at least.
const silence = 35_000;
const firstPause = 500;
const longestPause = 15_000;
const pollPause = 2_000;

/// Follows the gateway for good. `onEvent(name, data)`; `onState({ state, retryAt })` with `connecting`, `live`, `lost`, `refused`.
export class EventStream {
  #onEvent;
  #onState;
  #wake = () => {};
  #pause = firstPause;

  constructor(onEvent, onState) {
    this.#onEvent = onEvent;
    this.#onState = onState;
  }

  async run() {
    for (;;) {
      try {
        await this.#follow();
        this.#lose();
      } catch (problem) {
        if (problem.status === 404) await this.#poll().catch((other) => this.#lose(other));
        else this.#lose(problem);
      }
      await this.#sleep(this.#pause);
      this.#pause = Math.min(this.#pause * 2, longestPause);
    }
  }

  /// Tries again at once.
  retry() {
    this.#pause = firstPause;
    this.#wake();
  }

  async #follow() {
    const control = new AbortController();
    let watch = setTimeout(() => control.abort(), silence);
    try {
      const answer = await ask("/admin/api/events", { signal: control.signal, headers: { Accept: "text/event-stream" } });
      this.#live();
      const parser = new EventParser(this.#onEvent);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(() => control.abort(), silence);
        parser.push(value);
      }
    } finally {
      clearTimeout(watch);
    }
  }

  async #poll() {
    for (;;) {
      const [queue, pods, routes] = await Promise.all([get("/queue"), get("/pods"), get("/routes")]);
      this.#live();
      this.#onEvent("queue", queue);
      this.#onEvent("pods", pods);
      this.#onEvent("routes", routes);
      await this.#sleep(pollPause);
    }
  }

  #live() {
    this.#pause = firstPause;
    this.#onState({ state: "live" });
  }

  #lose(problem) {
    const wait = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = wait;
    this.#onState({ state: problem?.status === 401 ? "refused" : "lost", retryAt: Date.now() + wait, problem });
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
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
