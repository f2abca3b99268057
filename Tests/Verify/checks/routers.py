"""Lines 1 and 2 of issue 5: the gateway beside the proxies and routers that people would pick instead, in one run."""

from __future__ import annotations

import os
import statistics

from bench import start_peers
from harness import programs
from harness.comparison import Plan, System, alternate, spread, triple, unsteady
from harness.processes import free_ports
from registry import Run, check

ROUNDS = 3
SATURATE = 6
#: Seconds at 1,000 requests/s in each round: 60 in all.
OPEN = 20
CALL = ["1,POST,/v1/chat/completions,493"]
#: At least so many times what the other does, at saturation.
BARS = {"HAProxy": 0.65, "Envoy": 1.6, "vllm-router": 3.0}


def start(run: Run, peers: bool) -> tuple[list[System], System, System]:
    pods = [programs.nginx_pod(run.session, f"pod-{index}", port) for index, port in enumerate(free_ports(3))]
    others = [
        System("nginx directly", programs.nginx_pod(run.session, "direct", free_ports(1)[0], workers=os.cpu_count() or 1)),
        System("HAProxy", programs.haproxy(run.session, pods)),
    ]
    if peers:
        others += start_peers(run.session, pods)
    ours = []
    for mode in ("normal", "full"):
        settings = {"QUEUE_SYNCHRONOUS": mode, "LOG_LEVEL": "warning"}
        ours.append(System(f"gateway {mode.upper()}", programs.gateway(run.session, [pod.url for pod in pods], mode, settings)))
    return others, ours[0], ours[1]


@check("5.1", "saturation beside HAProxy, Envoy and the routers for language models, in one run")
def saturation(run: Run) -> None:
    others, normal, full = start(run, peers=True)
    systems = [*others, normal, full]
    alternate(systems, Plan(CALL, saturate=SATURATE, open=0), run.generator, ROUNDS)
    found = {system.name: system for system in systems}
    for name, bar in BARS.items():
        if name not in found:
            run.show(f"NORMAL beside {name}", f"≥ {bar}", "it does not run here", False)
            continue
        ratios = beside(normal, found[name])
        run.within(f"NORMAL beside {name} (rounds {triple(ratios)})", statistics.median(ratios), bar, below=False)
    ratios = beside(full, found["HAProxy"])
    run.within(f"FULL beside HAProxy (rounds {triple(ratios)})", statistics.median(ratios), 0.5, below=False)
    for system in systems:
        rate, cpu, memory = (statistics.median(system.values(key)) for key in ("requests_per_second", "cpu_per_10k", "rss_mb"))
        run.show(f"for the record: {system.name}", "–", f"{rate:,.0f}/s, {cpu:.3f} CPU s for 10,000, {memory:.0f} MB", True)
    steadiness(run, systems)


def beside(mine: System, other: System) -> list[float]:
    key = "requests_per_second"
    return [ours / theirs for ours, theirs in zip(mine.values(key), other.values(key))]


def steadiness(run: Run, systems: list[System]) -> None:
    shaky = unsteady(systems)
    run.show("the machine was quiet enough to say so", "spread ≤ 30 %", shaky or "yes", not shaky)


@check("5.2", "1,000 requests/s for 60 s: what the gateway adds, and its CPU beside HAProxy's")
def steady(run: Run) -> None:
    others, normal, full = start(run, peers=False)
    alternate([*others, normal, full], Plan(CALL, saturate=0, open=OPEN), run.generator, ROUNDS)
    for key, bar in (("added_p50", 0.25), ("added_p99", 1.5)):
        values = normal.values(key)
        run.within(f"NORMAL {key.replace('_', ' ')} (rounds {triple(values)})", statistics.median(values), bar, " ms")
        run.show(f"for the record: FULL {key.replace('_', ' ')}", "–", triple(full.values(key)), True)
    late = sum(normal.values("over_20ms"))
    run.show("of 60,000 over 20 ms", "≤ 6", late, late <= 6)
    cpu = statistics.median(
        ours / theirs for ours, theirs in zip(normal.values("cpu_per_10k_steady"), others[1].values("cpu_per_10k_steady"))
    )
    run.within("CPU for 10,000 beside HAProxy's", cpu, 2.5)
    apart = {system.name: spread(system.values("p50")) for system in others}
    worst = max(apart, key=apart.get)
    run.show("the others' medians between rounds", "spread ≤ 30 %", f"{worst} {apart[worst]:.0%}", apart[worst] <= 0.3)
