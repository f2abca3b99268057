"""Line 4 of issue 3, its part about Prometheus: promtool accepts the metrics of a gateway that has something to tell, and the alerts."""

from __future__ import annotations

import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from cluster import Call, Cluster
from harness import programs
from harness.processes import fetch, wait_for
from registry import Run, check

ROOT = programs.REPOSITORY
REQUESTS = 1000
MIX = ["3,POST,/gpu?ms=5,493", "5,POST,/cpu?ms=5,493", "1,GET,/unknown/path?ms=2"]


def promtool(*arguments: object, text: str | None = None) -> str:
    """What promtool complains about."""
    command = [str(each) for each in (ROOT / "Scripts/promtool", *arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    return "nothing" if done.returncode == 0 and not done.stderr.strip() else (done.stderr + done.stdout).strip()


def scrape(cluster: Cluster) -> str:
    status, headers, body = fetch(f"http://127.0.0.1:{cluster.gateway.admin}/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return body.decode()


def values(text: str, name: str) -> dict[str, float]:
    """The series of a metric, by their labels."""
    return {labels or "": float(value) for labels, value in re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.M)}


@check("3.4.2", "promtool accepts the metrics of a gateway under load, and the alert rules")
def metrics(run: Run) -> None:
    cluster = Cluster(run.session, settings={"ACCESS_LOG": "off"})
    lines = cluster.folder / "answers.jsonl"
    run.generator.run("mixed", cluster.port, request=MIX, requests=REQUESTS, clients=32, output=lines)
    held = [Call(f"http://127.0.0.1:{cluster.port}/gpu?ms=3000") for _ in range(6)]
    wait_for("requests are held", lambda: cluster.admin("/queue")[1]["depth"] == 3, 5)
    text = scrape(cluster)
    run.equal("what `promtool check metrics` says against them", "nothing", promtool("check", "metrics", text=text))
    ended = sum(values(text, "neutrino_requests_total").values())
    run.equal("requests that ended, by neutrino_requests_total", REQUESTS, int(ended))
    run.equal("requests in the histogram of holds", REQUESTS, int(sum(values(text, "neutrino_request_hold_seconds_count").values())))
    run.equal("neutrino_demand of GPUs: 3 with pods and 3 that wait", 6.0, values(text, "neutrino_demand").get('resource="gpus"'))
    depth = {'priority="live"': 3.0, 'priority="replay"': 0.0}
    run.equal("neutrino_queue_depth", depth, values(text, "neutrino_queue_depth"))
    for call in held:
        call.result()

    with ThreadPoolExecutor(1) as background:
        options = {"request": MIX, "requests": 5 * REQUESTS, "clients": 32, "output": lines}
        load = background.submit(run.generator.run, "mixed", cluster.port, **options)
        slowest = 0.0
        while not load.done():
            began = time.monotonic()
            scrape(cluster)
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.05)
        load.result()
    run.within("the slowest scrape under load", slowest * 1000, 100, " ms", 1)

    alerts = ROOT / "deploy/prometheus"
    run.equal("what `promtool check rules` says", "nothing", promtool("check", "rules", alerts / "alerts.yaml"))
    run.equal("what `promtool test rules` says", "nothing", promtool("test", "rules", alerts / "alerts.test.yaml"))
