"""Line 4 of issue 5: what a held request costs, and how late the events of 500 streams come."""

from __future__ import annotations

import statistics

from checks.many_held import hold_many
from cluster import start_pod
from harness import programs
from registry import Run, check

STREAMS = 500
EVENTS = 40
#: Milliseconds between the events of a stream: 2,000 a second in all.
PAUSE = 250
ROUNDS = 3


@check("5.4", "10,000 held requests; 500 streams of events beside the same pods directly")
def held_and_streamed(run: Run) -> None:
    hold_many(run, memory=7)
    pod = start_pod(run.session, "streams", STREAMS + 1, 0, 2 * STREAMS)
    gateway = programs.gateway(run.session, [pod.url], "streaming", {"LOG_LEVEL": "warning"})
    added = []
    for _ in range(ROUNDS):
        delays = {name: delay(run, port) for name, port in (("directly", pod.server.port), ("gateway", gateway.port))}
        added.append(delays["gateway"] - delays["directly"])
    rounds = ", ".join(f"{each:.2f}" for each in added)
    run.within(f"p99 of an event's delay more than directly (rounds {rounds})", statistics.median(added), 2, " ms")


def delay(run: Run, port: int) -> float:
    path = f"/cpu?events={EVENTS}&interval_ms={PAUSE}"
    load = run.generator.run("sse", port, path=path, method="POST", connections=STREAMS, events=EVENTS, seconds=60)
    run.equal("events of 500 streams", STREAMS * EVENTS, load["counts"]["events"])
    return load["more"]["event_delay"]["p99"]
