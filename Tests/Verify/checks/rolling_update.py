"""Line 2 of issue 6: pods and gateways are renewed under load, and clients see nothing of it."""

from __future__ import annotations

import signal
import time

from cluster import Call, Database
from fleet import Fleet, Gateway, haproxy
from harness.processes import HarnessError, wait_for, wait_until_listening
from registry import Run, check
from server_pod import start_server, start_sidecar

RATE = 300
#: Weight, method, path, bytes of the body. POST is not idempotent: what a pod may have begun is not tried again.
MIX = [
    "12,POST,/v1/resize?milliseconds=10,493",
    "4,POST,/v1/transcribe?milliseconds=15,493",
    "3,GET,/v1/models/llama",
    "1,POST,/v1/resize?milliseconds=400,493",
]
#: Shorter than the manifests' 5 s, longer than the second within which a change of the file is seen.
PRE_STOP = 2.0
DRAIN_DELAY = 2.0


@check("6.2", "rolling update of 6 pods (uvicorn + sidecar) under 300 requests/s, then of both gateways behind HAProxy")
def rolling_update(run: Run) -> None:
    fleet = Fleet(run.session)
    gateways = [Gateway(fleet, number, {"DRAIN_DELAY": DRAIN_DELAY, "DRAIN_TIMEOUT": 30}) for number in (0, 1)]
    for gateway in gateways:
        gateway.wait_for_pods()
    balancer = haproxy(run.session, gateways)
    pods_are_renewed(run, fleet, gateways[0])
    pods_are_restarted(run, fleet, gateways[0])
    gateways_are_renewed(run, gateways, balancer.port)


class Load:
    """300 requests a second until something has been done, and what became of them."""

    def __init__(self, run: Run, port: int, seconds: float):
        self.run = run
        self.count = int(RATE * seconds)
        self.load = run.generator.start("open", port, request=MIX, rate=RATE, seconds=seconds, warmup=0)
        self.end = time.monotonic() + seconds

    def result(self, what: str) -> dict:
        left = self.end - time.monotonic()
        self.run.show(f"{what}: seconds of load after the last of it", "> 0", f"{left:.1f}", left > 0)
        load = self.load.result()
        self.run.show(f"{what}: for the record, 50 % and 99 % of the latencies", "–", f"{load['latency']['p50']:.0f} and {load['latency']['p99']:.0f} ms", True)
        return load


def pods_are_renewed(run: Run, fleet: Fleet, gateway: Gateway) -> None:
    what = "pods renewed"
    load = Load(run, gateway.server.port, 35)
    old = list(fleet.pods)
    for pod in old:
        fleet.replace(pod, PRE_STOP)
    answers = load.result(what)
    run.equal(f"{what}: answers to {RATE} requests/s", {"200": load.count}, answers["statuses"] | answers["errors"])
    gateway.wait_until_settled()
    with gateway.rows() as database:
        placed = database.all("SELECT pod, count(*) AS n, sum(gpus > 0) AS gpu FROM request_log GROUP BY pod")
        repeated = retried(database)
        run.equal(f"{what}: rows", load.count, database.value("SELECT count(*) FROM request_log WHERE state = 'completed'"))
    wrong = sum(row["gpu"] for row in placed if fleet.known[row["pod"]].gpus == 0)
    right = sum(row["gpu"] for row in placed if fleet.known[row["pod"]].gpus > 0)
    run.show(f"{what}: GPU requests on pods without GPUs", "0 of many", f"{wrong} of {wrong + right}", wrong == 0 and right > load.count / 10)
    run.equal(f"{what}: pods that had requests", 12, sum(row["n"] > 0 for row in placed))
    run.show(f"{what}: for the record, requests of more than one attempt", "–", repeated, True)


def retried(database: Database) -> int:
    return database.value("SELECT count(*) FROM request_log WHERE attempts > 1")


def pods_are_restarted(run: Run, fleet: Fleet, gateway: Gateway) -> None:
    """Without a word to anybody: SIGTERM to server and sidecar at once, and both again on the same ports; then to servers alone."""
    what = "pods restarted in place"
    load = Load(run, gateway.server.port, 25)
    with gateway.rows() as database:
        before = retried(database)
    for pod in (fleet.pods[0], fleet.pods[3], fleet.pods[5]):
        for process in (pod.sidecar, pod.server):
            process.signal(signal.SIGTERM)
        for process in (pod.sidecar, pod.server):
            process.popen.wait(30)
        pod.sidecar = start_sidecar(run.session, pod, fleet.document, fleet.cpus, 32)
        pod.server = start_server(run.session, pod.name, pod.server_port)
        wait_until_listening(pod.sidecar, pod.port)
        pod.wait_until_ready()
    for pod in fleet.pods:
        pod.server.signal(signal.SIGTERM)
        pod.server.popen.wait(30)
        pod.server = start_server(run.session, pod.name, pod.server_port)
        wait_until_listening(pod.server, pod.server_port)
        pod.wait_until_ready()
    answers = load.result(what)
    run.equal(f"{what}: answers to {RATE} requests/s", {"200": load.count}, answers["statuses"] | answers["errors"])
    with gateway.rows() as database:
        after = retried(database)
    run.show(f"{what}: for the record, requests of more than one attempt", "–", after - before, True)


def gateways_are_renewed(run: Run, gateways: list[Gateway], port: int) -> None:
    what = "gateways restarted"
    load = Load(run, port, 22)
    # Not through the balancer, which sends nothing more to one that is not ready: what is told to those who come all the same.
    told: list[tuple] = []
    for gateway in gateways:
        time.sleep(1)
        slow = Call(gateway.server.url + "/v1/resize?milliseconds=4000")
        time.sleep(0.2)
        process = gateway.server.process
        process.signal(signal.SIGTERM)
        wait_for("it says that it is not ready", lambda: not gateway.is_ready, 5)
        taken = Call(gateway.server.url + "/v1/resize?milliseconds=10").result()
        time.sleep(DRAIN_DELAY + 0.3)
        refused = Call(gateway.server.url + "/v1/resize?milliseconds=10").result()
        told.append((taken.status, refused.status, refused.headers.get("Neutrino-Reason"), (refused.headers.get("Retry-After") or "").isdigit(), slow.result().status))
        code = process.popen.wait(40)
        if code != 0:
            raise HarnessError(f"gateway {gateway.number} ended with {code}")
        gateway.start()
        gateway.wait_for_pods()
        time.sleep(1)
    answers = load.result(what)
    refused = answers["reasons"].get("draining", 0)
    run.equal(f"{what}: resets and the like", {}, answers["errors"])
    others = {status: count for status, count in answers["statuses"].items() if status not in ("200", "503")}
    run.equal(f"{what}: answers but 200 and 503", {}, others)
    run.equal(f"{what}: 503 that are not `draining`", 0, answers["statuses"].get("503", 0) - refused)
    run.show(f"{what}: 503 `draining`, counted", "–", f"{refused} of {load.count}", True)
    run.equal(f"{what}: answers in all", load.count, sum(answers["statuses"].values()))
    run.equal(f"{what}: during DRAIN_DELAY, after it, its reason, Retry-After, one in flight", [(200, 503, "draining", True, 200)] * 2, told)
    for gateway in gateways:
        gateway.wait_until_settled()
    states: dict[str, int] = {}
    for gateway in gateways:
        with gateway.rows() as database:
            for state, count in database.states().items():
                states[state] = states.get(state, 0) + count
    run.equal(f"{what}: rows that are neither completed nor refused at the door", {}, {key: n for key, n in states.items() if key not in ("completed", "rejected")})
