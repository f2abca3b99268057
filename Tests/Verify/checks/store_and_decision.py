"""Lines 3 and 5 of issue 5: the store alone, a decision among many that wait, polling many pods."""

from __future__ import annotations

import json
import statistics
import subprocess
import time

from harness import programs
from harness.processes import HarnessError, fetch, free_ports, wait_for
from registry import Run, check

ROUNDS = 3
PODS = 2_000
#: Seconds over which the CPU of polling is measured.
POLLED = 20


def measure(command: str, **options) -> dict:
    line = [programs.release_binary("neutrino-measure"), command]
    for name, value in options.items():
        line += [f"--{name}", str(value)]
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        raise HarnessError(f"neutrino-measure {command}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def huey() -> float:
    python = programs.REPOSITORY / ".venv/bin/python"
    done = subprocess.run([python, programs.REPOSITORY / "Tests/Benchmarks/huey_store.py"], capture_output=True, text=True)
    if done.returncode:
        raise HarnessError(f"huey does not run here (make setup-bench installs it): {done.stderr[-2000:]}")
    return json.loads(done.stdout)["pairs_per_second"]


@check("5.3", "the store alone, with 1,000,000 rows present, beside huey")
def store(run: Run) -> None:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(measure("store", rows=1_000_000, batch=64)["pairsPerSecond"])
        theirs.append(huey())
    rate = statistics.median(ours)
    run.within(f"insert and outcome a second (rounds {min(ours):,.0f} – {max(ours):,.0f})", rate, 80_000, digits=0, below=False)
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs))
    run.within(f"times huey's {statistics.median(theirs):,.0f}", ratio, 8, digits=1, below=False)


@check("5.5", "a decision with 100,000 waiting in 50 lines and 2,000 pods; the CPU of polling 2,000 pods")
def decision(run: Run) -> None:
    reports = [(measure("decision", waiting=100_000), measure("decision", waiting=10_000)) for _ in range(ROUNDS)]
    key = "dispatchMedianMicroseconds"
    run.within("median", statistics.median(many[key] for many, _ in reports), 20, " µs")
    run.within("times that with 10,000 waiting", statistics.median(many[key] / few[key] for many, few in reports), 1.5)

    listens = free_ports(PODS)
    http = "access_log off; default_type application/json; server { %s location = /capacity { return 200 '%s'; } }" % (
        " ".join(f"listen 127.0.0.1:{port};" for port in listens),
        json.dumps(programs.BIG_CAPACITY),
    )
    programs.nginx(run.session, "pods", listens[0], http, workers=1)
    gateway = programs.gateway(
        run.session,
        [f"http://127.0.0.1:{port}" for port in listens],
        settings={"LOG_LEVEL": "warning", "CAPACITY_UPDATE_INTERVAL": 2},
    )

    def polled() -> int:
        return sum(pod["routable"] for pod in json.loads(fetch(f"http://127.0.0.1:{gateway.admin}/admin/api/pods")[2])["pods"])

    wait_for("every pod was polled", lambda: polled() == PODS, 30)
    time.sleep(4)
    before = gateway.process.cpu_seconds()
    time.sleep(POLLED)
    share = (gateway.process.cpu_seconds() - before) / POLLED
    run.within(f"CPU of polling {PODS} pods every 2 s, nothing else to do", share * 100, 5, " % of a core")
