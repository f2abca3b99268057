"""Line 7 of issue 2: what the gateway adds to a request, and how much goes through it, beside direct calls and HAProxy."""

from __future__ import annotations

import json
import os
import statistics

from cluster import document, operation
from harness import programs
from harness.comparison import Plan, System, alternate, triple, unsteady
from harness.processes import free_ports
from registry import Run, check

ROUNDS = 3
#: Seconds at 1,000 requests/s in each round: 60 in all.
OPEN = 20
SATURATE = 6
MIX = ["2,POST,/gpu,493", "5,POST,/cpu,493", "1,GET,/unknown/path"]


@check("2.7", "1,000 requests/s mixed for 60 s beside direct calls; saturation beside HAProxy")
def speed(run: Run) -> None:
    pods = [programs.nginx_pod(run.session, f"pod-{index}", port) for index, port in enumerate(free_ports(3))]
    described = run.session.folder / "openapi.json"
    described.write_text(json.dumps(document(gpu=operation(gpus=1), cpu=operation())))
    database = run.session.folder / "neutrino.db"
    direct = programs.nginx_pod(run.session, "direct", free_ports(1)[0], workers=os.cpu_count() or 1)
    gateway = programs.gateway(
        run.session,
        [pod.url for pod in pods],
        settings={"OPENAPI_SPEC_PATH": described, "LOG_LEVEL": "warning"},
        database=database,
    )
    systems = [
        System("nginx directly", direct),
        System("HAProxy", programs.haproxy(run.session, pods)),
        System("gateway", gateway),
    ]
    alternate(systems, Plan(MIX, saturate=0, open=OPEN), run.generator, ROUNDS)
    ours = systems[2]
    median = {key: statistics.median(ours.values(key)) for key in ("added_p50", "added_p99")}
    for key, bar in (("added_p50", 0.6), ("added_p99", 3.0)):
        what = f"{key.replace('_', ' ')} at 1,000/s (rounds {triple(ours.values(key))}), ms"
        run.within(what, median[key], bar)
    beside = {key: triple(systems[1].values(key)) for key in ("added_p50", "added_p99")}
    run.show("for the record: what HAProxy adds, p50 and p99", "–", " and ".join(beside.values()), True)
    run.show("for the record: answers over 20 ms", "–", sum(ours.values("over_20ms")), True)

    for system in systems:
        system.rounds.clear()
    alternate(systems, Plan(["1,POST,/cpu,493"], saturate=SATURATE, open=0), run.generator, ROUNDS)
    ratios = ours.values("ratio")
    run.within(f"saturation beside HAProxy (rounds {triple(ratios)})", statistics.median(ratios), 0.25, below=False)
    rates = ", ".join(f"{system.name} {statistics.median(system.values('requests_per_second')):,.0f}" for system in systems)
    run.show("for the record: requests/s", "–", rates, True)
    cpu = ", ".join(f"{system.name} {statistics.median(system.values('cpu_per_10k')):.3f}" for system in systems)
    run.show("for the record: CPU seconds for 10,000", "–", cpu, True)
    log = os.path.getsize(f"{database}-wal") / (1 << 20)
    run.show("the write-ahead log after all this", "< 64 MiB", f"{log:.1f} MiB", log < 64)
    shaky = unsteady(systems)
    run.show("the machine was quiet enough to say so", "spread ≤ 30 %", shaky or "yes", not shaky)
