// The first view: figures at a glance, four charts, who waits and why, and the pods.

import { get } from "./api.js";
import { chart } from "./chart.js";
import { h } from "./dom.js";
import { age, bytes, count, duration, plural, rate } from "./format.js";
import { connection, history, onTick, pods, queue, since } from "./live.js";
import { tile } from "./parts.js";
import { podsPanel } from "./pods.js";
import { waitingPanel } from "./waiting.js";

export function showOverview(root) {
  const waiting = tile("Waiting");
  const oldest = tile("Oldest");
  const running = tile("With pods");
  const done = tile("Completed");
  const lost = tile("Failed or refused");
  const hold = tile("Hold, 15 min");
  const ready = tile("Pods ready");
  const tiles = h("section", { class: "tiles", "aria-label": "Now" }, [waiting, oldest, running, done, lost, hold, ready].map((each) => each.node));
  const charts = chartSet();
  root.append(tiles, charts.node, h("div", { class: "columns" }, waitingPanel(), podsPanel()));

  function showQueue(now) {
    const held = now.bytes ? `bodies, with pods too: ${bytes(now.bytes)}` : "";
    const behind = now.replays.depth > 0 ? `and ${plural(now.replays.depth, "replay")} behind` : "";
    waiting.update(count(now.depth), [behind, held].filter(Boolean).join(" · "), false);
    oldest.update(now.depth > 0 ? age(now.oldest_age + since(now)) : "–");
    running.update(count(now.dispatched), now.draining ? "draining: the gateway is ending" : "", now.draining);
    const waits = now.waits;
    hold.update(waits ? `${duration(waits.p50)}` : "–", waits?.count ? `p99 ${duration(waits.p99)} · most ${duration(waits.max)}` : "nothing ended");
  }
  queue.watch(showQueue);
  onTick(() => queue.value && showQueue(queue.value));

  pods.watch(({ pods: all }) => {
    // Where its breaker is open nothing is sent to a pod, though it tells its capacity.
    const able = all.filter((pod) => pod.routable && pod.breaker !== "open").length;
    ready.update(`${able} / ${all.length}`, able < all.length ? `${plural(all.length - able, "pod")} not` : "", able < all.length);
  });

  history.watch(({ interval, points }) => {
    const last = points.slice(-12);
    const seconds = Math.max(last.length * interval, 1);
    const sum = (part) => last.reduce((total, point) => total + part(point), 0);
    done.update(`${rate(sum(ends.completed) / seconds)}/s`, "last minute");
    const bad = sum(ends.failed) + sum(ends.refused);
    lost.update(`${rate(bad / seconds)}/s`, `${count(bad)} in the last minute`, bad > 0);
    charts.update(points, interval);
  });

  // The stream tells of new points only: what was before them, or while it was lost, is asked for. Without an answer there are no charts.
  charts.node.hidden = true;
  let wasLive = false;
  connection.watch(async ({ state }) => {
    const isNew = state === "live" && !wasLive;
    wasLive = state === "live";
    if (!isNew) return;
    history.value = await get("/history").catch(() => history.value);
    charts.node.hidden = history.value === null;
  });
}

/// What became of requests in an interval: well, or in one of the two ways that call for a look. A pod's 5xx is an answer that it gave, and
/// nothing that its client asked for.
const ends = {
  completed: (point) => point.completed - point.server_errors,
  failed: (point) => point.failed + point.server_errors,
  refused: (point) => point.expired + point.rejected,
};

function chartSet() {
  let interval = 5;
  const perSecond = (part) => (point) => part(point) / interval;
  const charts = [
    chart({
      title: "Throughput per second",
      format: rate,
      series: [
        { label: "completed", tone: "plain", value: perSecond(ends.completed), area: true },
        { label: "failed or 5xx", tone: "bad", value: perSecond(ends.failed) },
        { label: "refused", tone: "warn", value: perSecond(ends.refused) },
      ],
    }),
    chart({ title: "Waiting", format: (value) => count(Math.round(value * 10) / 10), series: [{ label: "requests", tone: "wait", value: (point) => point.depth, area: true }] }),
    chart({
      title: "Hold",
      format: duration,
      series: [{ label: "p50", tone: "plain", value: (point) => point.hold_p50 ?? null }, { label: "p99", tone: "wait", value: (point) => point.hold_p99 ?? null }],
    }),
    chart({
      title: "Upstream",
      format: duration,
      series: [{ label: "p50", tone: "plain", value: (point) => point.upstream_p50 ?? null }, { label: "p99", tone: "wait", value: (point) => point.upstream_p99 ?? null }],
    }),
  ];
  return {
    node: h("section", { class: "charts", "aria-label": "The last 15 minutes" }, charts.map((each) => each.node)),
    update(points, step) {
      interval = step;
      charts.forEach((each) => each.update(points));
    },
  };
}
