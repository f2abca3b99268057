#!/usr/bin/env python3
"""Measures the gateway beside HAProxy and nginx: the same requests, the same pods, the same minutes.

Three nginx pods answer at once, so what is measured is what stands in front of them. Rounds alternate between the systems, since a
machine's speed drifts: figures are compared within a round, and ratios are taken before medians. Everything runs on loopback and ends
with the run. Figures go to the terminal and, as JSON, to bench-results/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from harness import load, programs
from harness.processes import HarnessError, Session, free_ports

#: A round's figures may differ this much (largest less smallest, over the median) before no verdict is given.
MAX_SPREAD = 0.30
#: The bars that the project has set itself.
BARS = {"ratio": 0.25, "added_p50": 0.6, "added_p99": 3.0}


@dataclass
class System:
    """Something to measure, and what each round measured."""

    name: str
    server: programs.Server
    rounds: list[dict] = field(default_factory=list)


def measure(system: System, generator: load.LoadGenerator, options: argparse.Namespace) -> dict:
    """One round: as much as goes through 64 connections, then 1,000 requests a second."""
    process, port, request = system.server.process, system.server.port, [options.request]
    generator.run("saturate", port, request=request, seconds=0.5, warmup=0, connections=options.connections)
    before = process.cpu_seconds()
    most = generator.run("saturate", port, request=request, seconds=options.saturate, warmup=0, connections=options.connections)
    cpu_most = process.cpu_seconds() - before
    before = process.cpu_seconds()
    steady = generator.run("open", port, request=request, seconds=options.open, warmup=1, rate=options.rate)
    cpu_steady = process.cpu_seconds() - before
    failures = [run for run in (most, steady) if run["errors"] or set(run["statuses"]) != {"200"}]
    if failures:
        raise HarnessError(f"{system.name} failed requests: {failures}\n{process.tail()}")
    return {
        "requests_per_second": most["requestsPerSecond"],
        "cpu_per_10k": cpu_most / most["requests"] * 1e4,
        "cpu_per_10k_steady": cpu_steady / (steady["requests"] + options.rate) * 1e4,
        "rss_mb": process.memory() / 1e6,
        "p50": steady["latency"]["p50"],
        "p99": steady["latency"]["p99"],
        "p999": steady["latency"]["p999"],
        "over_20ms": steady["over20ms"],
        "saturated": most,
        "steady": steady,
    }


def start_systems(session: Session, options: argparse.Namespace) -> list[System]:
    ports = free_ports(3)
    pods = [programs.nginx_pod(session, f"pod-{index}", port) for index, port in enumerate(ports)]
    direct = programs.nginx_pod(session, "direct", free_ports(1)[0], workers=os.cpu_count() or 1)
    systems = [
        System("nginx directly", direct),
        System("HAProxy", programs.haproxy(session, pods)),
        System("nginx as proxy", programs.nginx_proxy(session, pods)),
    ]
    if options.peers:
        router = programs.model_router
        peers = {
            "Envoy": programs.envoy(session, pods),
            "vllm-router": router(session, "vllm-router", pods, []),
            "smg": router(session, "smg", pods, ["launch"]),
        }
        systems += [System(name, server) for name, server in peers.items() if server]
        for name in (name for name, server in peers.items() if not server):
            print(f"{name}: not installed, left out")
    if not options.no_gateway:
        backends = [pod.url for pod in pods]
        for name, synchronous in (("gateway NORMAL", "normal"), ("gateway FULL", "full")):
            settings = {"QUEUE_SYNCHRONOUS": synchronous, "LOG_LEVEL": "warning"}
            systems.append(System(name, programs.gateway(session, backends, synchronous, settings)))
    return systems


def spread(values: list[float]) -> float:
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0


def triple(values: list[float], digits: int = 2) -> str:
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def compare(systems: list[System]) -> None:
    """Adds to each round what it is beside nginx directly and HAProxy in the same round."""
    direct, reference = systems[0], systems[1]
    for system in systems:
        for mine, bare, other in zip(system.rounds, direct.rounds, reference.rounds):
            mine["ratio"] = mine["requests_per_second"] / other["requests_per_second"]
            mine["added_p50"] = mine["p50"] - bare["p50"]
            mine["added_p99"] = mine["p99"] - bare["p99"]


COLUMNS = [
    ("requests/s", "requests_per_second", 0),
    ("ratio to HAProxy", "ratio", 2),
    ("CPU s/10k", "cpu_per_10k", 3),
    ("CPU s/10k at rate", "cpu_per_10k_steady", 2),
    ("RSS MB", "rss_mb", 0),
    ("added p50 ms", "added_p50", 2),
    ("added p99 ms", "added_p99", 2),
    ("> 20 ms", "over_20ms", 0),
]


def table(systems: list[System]) -> str:
    rows = [["min / median / max"] + [title for title, _, _ in COLUMNS]]
    for system in systems:
        rows.append([system.name] + [triple([each[key] for each in system.rounds], digits) for _, key, digits in COLUMNS])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def verdicts(systems: list[System]) -> list[str]:
    """Each bar for the gateway: met, missed, or no verdict where the rounds differ too much to tell."""
    found = []
    shaky = [
        f"{system.name} {spread([each['requests_per_second'] for each in system.rounds]):.0%}"
        for system in systems[:2]
        if spread([each["requests_per_second"] for each in system.rounds]) > MAX_SPREAD
    ]
    for system in (system for system in systems if system.name == "gateway NORMAL"):
        for key, bar in BARS.items():
            values = [each[key] for each in system.rounds]
            passed = [value >= bar if key == "ratio" else value < bar for value in values]
            sign = "≥" if key == "ratio" else "<"
            what = f"{system.name}: {key} {triple(values)}, bar {sign} {bar}"
            if key == "ratio" and shaky:
                found.append(f"no verdict  {what} (rounds of {', '.join(shaky)} apart: the machine is not quiet)")
            elif all(passed):
                found.append(f"met         {what}")
            elif not any(passed):
                found.append(f"MISSED      {what}")
            else:
                found.append(f"no verdict  {what} (rounds on both sides of the bar)")
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about a minute; for a first look, not for a decision")
    parser.add_argument("--peers", action="store_true", help="also Envoy, vllm-router and smg, where they are installed")
    parser.add_argument("--no-gateway", action="store_true", help="only the others: to see whether the machine is quiet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--saturate", type=float, metavar="SECONDS")
    parser.add_argument("--open", type=float, metavar="SECONDS")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--request", default="1,POST,/v1/chat/completions,493", help="WEIGHT,METHOD,PATH,BODY BYTES")
    parser.add_argument("--results", type=Path, default=programs.REPOSITORY / "bench-results", help="folder for the JSON")
    parser.add_argument("--keep", action="store_true", help="keep the folder of configurations, databases and logs")
    options = parser.parse_args()
    options.saturate = options.saturate or (1.5 if options.quick else 6)
    options.open = options.open or (1.5 if options.quick else 12)
    if options.rounds < 3:
        parser.error("--rounds: at least 3, or there is no spread to judge by")
    return options


def main() -> int:
    options = parse()
    load.require_linux()
    generator = load.LoadGenerator(load.build())
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"note: the load average is {busy:.1f} before anything has begun; absolute figures will be low")
    begin = time.time()
    with Session(options.keep) as session:
        systems = start_systems(session, options)
        for number in range(options.rounds):
            # Each round begins with another system, so that none is always first after a pause.
            for system in systems[number % len(systems) :] + systems[: number % len(systems)]:
                system.rounds.append(measure(system, generator, options))
            print(f"round {number + 1} of {options.rounds}: {time.time() - begin:.0f} s", file=sys.stderr)
        compare(systems)
    print(table(systems))
    lines = verdicts(systems)
    print("\n".join(lines))
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / f"bench-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(begin))}.json"
    document = {
        "when": begin,
        "took": time.time() - begin,
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "load_before": busy},
        "options": {key: str(value) for key, value in vars(options).items()},
        "systems": {system.name: system.rounds for system in systems},
        "verdicts": lines,
    }
    file.write_text(json.dumps(document, indent=1))
    print(f"{time.time() - begin:.0f} s; {file}")
    return 1 if any(line.startswith("MISSED") for line in lines) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
