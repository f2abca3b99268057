#!/usr/bin/env python3
"""What changes as something grows: requests that wait, pods, routes, rows in the log, connections, bodies. Draws docs/curves.svg.

Each point is the median of a few runs; where the gateway stands beside HAProxy, their runs alternate. Everything runs on loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "Tests/Benchmarks"))

from harness import load, programs  # noqa: E402
from harness.processes import HarnessError, Session, free_ports, raise_descriptor_limit  # noqa: E402

WAITING = [10, 100, 1_000, 10_000, 100_000]
PODS = [3, 30, 300, 2_000]
ROUTES = [1, 10, 100, 500, 2_000]
ROWS = [0, 10_000, 100_000, 1_000_000, 5_000_000]
CONNECTIONS = [1, 8, 64, 512, 2_048, 8_192]
BODIES = [0, 1 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20]


def measure(command: str, **options) -> dict:
    """Runs `neutrino-measure` once."""
    line = [str(programs.release_binary("neutrino-measure")), command]
    for name, value in options.items():
        line += [f"--{name}", str(value)]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode != 0:
        raise HarnessError(f"{' '.join(line)}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def decisions(name: str, values: list[int], runs: int, **options) -> list[dict]:
    points = []
    for value in values:
        reports = [measure("decision", **(options | {name: value})) for _ in range(runs)]
        point = {"x": value}
        for key in ("dispatchMedianMicroseconds", "dispatchP99Microseconds", "arrivalMedianMicroseconds"):
            point[key] = statistics.median(report[key] for report in reports)
        told(name, point)
        points.append(point)
    return points


def stores(runs: int) -> list[dict]:
    points = []
    for rows in ROWS:
        reports = [measure("store", rows=rows) for _ in range(runs if rows < 1_000_000 else 1)]
        points.append({"x": rows, "pairs": statistics.median(report["pairsPerSecond"] for report in reports)})
        told("rows", points[-1])
    return points


def beside_haproxy(values: list[int], runs: int, seconds: float, options) -> list[dict]:
    """Requests a second of the gateway and of HAProxy before the same pods. `options`: the load's, for a value."""
    points = []
    with Session() as session:
        pods = [programs.nginx_pod(session, f"pod-{index}", port) for index, port in enumerate(free_ports(3))]
        settings = {"LOG_LEVEL": "warning", "MAX_CONNECTIONS": 12_000, "MAX_QUEUE_DEPTH": 20_000}
        systems = {
            "gateway": programs.gateway(session, [pod.url for pod in pods], "gateway", settings),
            "HAProxy": programs.haproxy(session, pods),
        }
        generator = load.LoadGenerator(load.build())
        for value in values:
            rates = {name: [] for name in systems}
            for _ in range(runs):
                for name, system in systems.items():
                    result = generator.run("saturate", system.port, seconds=seconds, **options(value))
                    rates[name].append(result["statuses"].get("200", 0) / seconds)
            points.append({"x": value} | {name: statistics.median(each) for name, each in rates.items()})
            told("value", points[-1])
    return points


def told(what: str, point: dict) -> None:
    print(what, {key: round(value, 2) for key, value in point.items()}, file=sys.stderr, flush=True)


def collect(runs: int, seconds: float) -> dict[str, list[dict]]:
    post = lambda size: f"1,{'POST' if size else 'GET'},/cpu,{size}"  # noqa: E731
    return {
        "waiting": decisions("waiting", WAITING, runs),
        "pods": decisions("pods", PODS, runs, waiting=10_000),
        "routes": decisions("lines", ROUTES, runs, waiting=10_000),
        "rows": stores(runs),
        "connections": beside_haproxy(CONNECTIONS, runs, seconds, lambda count: {"connections": count, "request": [post(493)]}),
        "bodies": beside_haproxy(BODIES, runs, seconds, lambda size: {"connections": 64, "request": [post(size)]}),
    }


def draw(figures: dict[str, list[dict]], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 8, "svg.hashsalt": "neutrino", "axes.spines.top": False, "axes.spines.right": False})
    picture, axes = pyplot.subplots(2, 3, figsize=(11, 6))
    decision = [
        ("dispatchMedianMicroseconds", "a pod is freed: median"),
        ("dispatchP99Microseconds", "99th percentile"),
        ("arrivalMedianMicroseconds", "a request comes: median"),
    ]
    both = [("gateway", "gateway"), ("HAProxy", "HAProxy")]
    panels = [
        ("waiting", "requests waiting (50 lines, 2,000 pods)", "µs a decision", decision, False),
        ("pods", "pods (10,000 waiting, 50 lines)", "µs a decision", decision, False),
        ("routes", "lines, one a route (10,000 waiting, 2,000 pods)", "µs a decision", decision, False),
        ("rows", "rows in the log before", "insert + outcome a second", [("pairs", "store alone, 64 under way")], True),
        ("connections", "connections, a POST of 493 bytes on each", "requests/s", both, False),
        ("bodies", "bytes of the request's body, 64 connections", "requests/s", both, True),
    ]
    for axis, (key, title, unit, lines, has_zero) in zip(axes.flat, panels):
        places = [point["x"] for point in figures[key]]
        for name, label in lines:
            axis.plot(places, [point[name] for point in figures[key]], marker="o", markersize=3, label=label)
        axis.set_xscale("symlog", linthresh=max(min(filter(None, places)), 1)) if has_zero else axis.set_xscale("log")
        axis.set_xticks(places, [short(place) for place in places])
        axis.minorticks_off()
        axis.set_ylim(bottom=0)
        axis.set_title(title, fontsize=8)
        axis.set_ylabel(unit)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    picture.tight_layout()
    picture.savefig(file, metadata={"Date": None})


def short(number: int) -> str:
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit and number % unit == 0:
            return f"{number // unit}{name}"
    for unit, name in ((1 << 20, "Mi"), (1 << 10, "Ki")):
        if number >= unit and number % unit == 0:
            return f"{number // unit}{name}"
    return str(number)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="of each point")
    parser.add_argument("--seconds", type=float, default=4, help="of each load")
    parser.add_argument("--figures", type=Path, default=REPOSITORY / "bench-results/curves.json", help="where they are kept")
    parser.add_argument("--draw-only", action="store_true", help="of figures that are there")
    options = parser.parse_args()
    raise_descriptor_limit()
    if not options.draw_only:
        options.figures.parent.mkdir(exist_ok=True)
        figures = collect(options.runs, options.seconds) | {"machine": f"{os.cpu_count()} cores"}
        options.figures.write_text(json.dumps(figures, indent=1) + "\n")
    draw(json.loads(options.figures.read_text()), REPOSITORY / "docs/curves.svg")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"curves: {problem}")
