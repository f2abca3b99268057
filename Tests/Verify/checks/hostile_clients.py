"""Lines 5 and 6 of issue 4: clients that hold connections and never end their heads, and requests that are not plainly one request."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from harness import programs
from harness.comparison import triple
from harness.processes import HarnessError, free_ports, wait_for
from registry import Run, check

TESTS = Path(__file__).resolve().parents[2]
CONNECTIONS = 15_000
ROUNDS = 3
SECONDS = 12
RATE = 500
#: How much the p99 of well-behaved clients may move, in milliseconds.
BAR = 5


@check("4.5", "15,000 connections whose heads never end, beside well-behaved clients")
def slowloris(run: Run) -> None:
    pod = programs.nginx_pod(run.session, "pod", free_ports(1)[0])
    gateway = programs.gateway(run.session, [pod.url], settings={"LOG_LEVEL": "warning", "MAX_CONNECTIONS": 18_000})
    quiet, attacked, answers = [], [], {}
    for _ in range(ROUNDS):
        quiet.append(p99(run, gateway.port, answers))
        attack = run.session.start("slowloris", [sys.executable, TESTS / "Verify/slowloris.py", gateway.port, CONNECTIONS])
        wait_for("all are open", lambda: state(attack).get("open", 0) >= CONNECTIONS * 0.98, 40)
        attacked.append(p99(run, gateway.port, answers))
        last = state(attack)
        held = len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
        attack.kill()
        run.session.processes.remove(attack)
        wait_for("they are given back", lambda: len(os.listdir(f"/proc/{gateway.process.pid}/fd")) < 1000, 30)
    run.show("connections that were held", f"≥ {CONNECTIONS * 0.9:.0f}", held, held >= CONNECTIONS * 0.9)
    run.show("for the record: what slow heads were answered", "–", last["answers"], True)
    run.equal("answers of well-behaved clients other than 200", {}, {key: count for key, count in answers.items() if key != "200"})
    moved = statistics.median(attacked) - statistics.median(quiet)
    run.within(f"p99 moved (without {triple(quiet)}, with {triple(attacked)})", moved, BAR, " ms")


def p99(run: Run, port: int, answers: dict) -> float:
    load = run.generator.run("open", port, request=["1,POST,/x,493"], rate=RATE, seconds=SECONDS, connections=64)
    for key, count in (load["statuses"] | load["errors"]).items():
        answers[key] = answers.get(key, 0) + count
    return load["latency"]["p99"]


def state(attack) -> dict:
    lines = attack.log.read_text().splitlines()
    for line in reversed(lines):
        try:
            return json.loads(line)
        except ValueError:
            continue
    return {}


@check("4.6", "the corpus and requests made by chance, replayed to h11, httptools and nginx; the codec beside llhttp")
def fuzz(run: Run) -> None:
    binary = programs.REPOSITORY / ".build/release/neutrino-fuzz"
    if not binary.exists():
        built = subprocess.run(["swift", "build", "-c", "release", "--product", "neutrino-fuzz"], cwd=programs.REPOSITORY, capture_output=True, text=True)
        if built.returncode:
            raise HarnessError(f"neutrino-fuzz does not build:\n{built.stdout[-2000:]}")
    count = run.options.fuzz_count
    done = subprocess.run([binary, str(count), str(int(time.time()) * 1000), TESTS / "Fuzz/corpus"], capture_output=True, text=True)
    run.show(f"{count:,} inputs through the codec, cut and whole, and forwarded", "no finding", done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr, done.returncode == 0)
    python = programs.REPOSITORY / ".venv/bin/python"
    command = [python if python.exists() else sys.executable, TESTS / "Fuzz/wire.py", "--count", str(max(2000, count // 1000)), "--connections", "64"]
    done = subprocess.run(command, capture_output=True, text=True)
    counts = {}
    for line in done.stdout.splitlines():
        number, _, name = line.strip().partition("  ")
        if number.isdigit():
            counts[name] = int(number)
    for name in ("inputs", "accepted requests", "replayed to h11", "replayed to httptools", "replayed to nginx"):
        run.show(f"over the listener: {name}", "> 0", counts.get(name, 0), counts.get(name, 0) > 0)
    run.show("framed otherwise by anyone, hung, crashed, or answered otherwise than the corpus says", "0", counts.get("findings", done.stderr[-300:]), done.returncode == 0)
