"""Line 8 of issue 2: ten thousand requests held at once, what each costs, and how punctually each is let go."""

from __future__ import annotations

import json
import time

from cluster import document, operation
from harness import programs
from harness.processes import free_ports
from registry import Run, check

COUNT = 10_000
HOLD = 20.0
PUNCTUALITY = 300
KIBIBYTE = 1024
MEMORY = 12


@check("2.8", "10,000 requests held at once")
def many_held(run: Run) -> None:
    hold_many(run, MEMORY)


def hold_many(run: Run, memory: float) -> None:
    """`memory`: the bar for each, in KiB."""
    # Pods with GPUs, all of them taken by somebody else: what needs one waits.
    capacity = programs.BIG_CAPACITY | {"available_gpus": 0}
    pods = [
        programs.nginx_pod(run.session, f"pod-{index}", port, capacity=capacity)
        for index, port in enumerate(free_ports(3))
    ]
    described = run.session.folder / "openapi.json"
    described.write_text(json.dumps(document(gpu=operation(gpus=1, hold=HOLD), cpu=operation())))
    gateway = programs.gateway(
        run.session,
        [pod.url for pod in pods],
        settings={"OPENAPI_SPEC_PATH": described, "MAX_QUEUE_DEPTH": COUNT + 100},
    )
    # Caches and pools are filled first, so that only what is held counts: SQLite's alone takes 16 MiB of rows.
    run.generator.run("mixed", gateway.port, request=["1,POST,/cpu,493"], requests=30_000, output=run.session.folder / "warm")
    time.sleep(1)
    before = gateway.process.memory()
    load = run.generator.start("hold", gateway.port, request=["1,POST,/gpu,493"], count=COUNT, expect_after=HOLD)
    try:
        sent = load.read_line()["sent"]
        time.sleep(1)
        held = gateway.process.memory()
        result = load.result()
    finally:
        load.stop()
    run.equal("requests sent", COUNT, sent)
    each = (held - before) / COUNT / KIBIBYTE
    run.show("memory for each that is held", f"≤ {memory} KiB", f"{each:.2f} KiB", each <= memory)
    run.equal("answers", {"503": COUNT}, result["statuses"] | result["errors"])
    run.equal("their reason", {"no_capacity": COUNT}, result["reasons"])
    for side in ("early", "late"):
        most = result["more"].get(side, {"max": 0})["max"]
        run.show(f"the most that one was {side}", f"≤ {PUNCTUALITY} ms", f"{most:.1f} ms", most <= PUNCTUALITY)
    for each in pods:
        if not each.process.is_alive:
            run.show("pods are alive", "yes", "no", False)
