#!/usr/bin/env python3
"""Measures the gateway beside HAProxy, nginx, Envoy and routers for language models: the same requests, the same pods, the same minutes.

Three nginx pods answer at once, so what is measured is what stands in front of them. Rounds alternate between the systems, since a
machine's speed drifts: figures are compared within a round, and ratios are taken before medians. Everything runs on loopback and ends
with the run. Figures go to the terminal and, as JSON, to bench-results/.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path

from harness import load, programs
from harness.comparison import Plan, System, alternate, triple, unsteady
from harness.processes import HarnessError, Session, free_ports

#: The bars that the project has set itself.
BARS = {"ratio": 0.25, "added_p50": 0.6, "added_p99": 3.0}


def start_systems(session: Session, options: argparse.Namespace) -> list[System]:
    ports = free_ports(3)
    pods = [programs.nginx_pod(session, f"pod-{index}", port) for index, port in enumerate(ports)]
    direct = programs.nginx_pod(session, "direct", free_ports(1)[0], workers=os.cpu_count() or 1)
    systems = [
        System("nginx directly", direct),
        System("HAProxy", programs.haproxy(session, pods)),
        System("nginx as proxy", programs.nginx_proxy(session, pods)),
    ]
    if not options.no_peers and not options.quick:
        systems += start_peers(session, pods)
    if not options.no_gateway:
        backends = [pod.url for pod in pods]
        for name, synchronous in (("gateway NORMAL", "normal"), ("gateway FULL", "full")):
            settings = {"QUEUE_SYNCHRONOUS": synchronous, "LOG_LEVEL": "warning"}
            systems.append(System(name, programs.gateway(session, backends, synchronous, settings)))
    return systems


def start_peers(session: Session, pods: list[programs.Server]) -> list[System]:
    """Those that are installed and work here."""
    starts = {
        "Envoy": lambda: programs.envoy(session, pods),
        "vllm-router": lambda: programs.model_router(session, "vllm-router", pods, ["--log-level", "warning"]),
        "smg": lambda: programs.model_router(session, "smg", pods, ["launch", "--log-level", "warn"]),
    }
    found = []
    for name, start in starts.items():
        try:
            if server := start():
                found.append(System(name, server))
            else:
                print(f"{name}: not installed, left out")
        except HarnessError as problem:
            print(f"{name}: left out: {str(problem)[:500]}")
    return found


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
        rows.append([system.name] + [triple(system.values(key), digits) for _, key, digits in COLUMNS])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def verdicts(systems: list[System]) -> list[str]:
    """Each bar for the gateway: met, missed, or no verdict where the rounds differ too much to tell."""
    found = []
    shaky = unsteady(systems)
    for system in (system for system in systems if system.name == "gateway NORMAL"):
        for key, bar in BARS.items():
            values = system.values(key)
            passed = [value >= bar if key == "ratio" else value < bar for value in values]
            what = f"{system.name}: {key} {triple(values)}, bar {'≥' if key == 'ratio' else '<'} {bar}"
            if shaky:
                found.append(f"no verdict  {what} (the machine is not quiet: {shaky} between rounds)")
            elif all(passed):
                found.append(f"met         {what}")
            elif not any(passed):
                found.append(f"MISSED      {what}")
            else:
                found.append(f"no verdict  {what} (rounds on both sides of the bar)")
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about a minute, without Envoy and the routers; for a first look, not for a decision")
    parser.add_argument("--no-peers", action="store_true", help="without Envoy, vllm-router and smg")
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
        plan = Plan([options.request], options.saturate, options.open, options.connections, options.rate)
        alternate(systems, plan, generator, options.rounds, lambda text: print(text, file=sys.stderr))
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
