"""Line 4 of issue 2: what waits is answered on time, moved by operators, and served as soon as there is a pod for it."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

from cluster import GPUS, POLL, Answer, Call, Cluster, start_pod
from harness.processes import HarnessError, wait_for
from registry import Run, check

HOLD = 3.0
TOLERANCE = 0.2
ROUTE = quote("POST /gpu", safe="")


@check("2.4", "with all GPUs taken: deadlines, CPU requests, hold timeouts changed, pods that come")
def holding(run: Run) -> None:
    cluster = Cluster(run.session, hold=HOLD)
    tasks = take_all_gpus(cluster, seconds=45)
    expires(run, cluster)
    cpu_requests_pass(run, cluster)
    deadlines_move(run, cluster)
    new_pods_are_found(run, cluster)
    if any(task.answer for task in tasks):
        raise HarnessError("the tasks that take the GPUs ended before the check did: its figures mean nothing")


def take_all_gpus(cluster: Cluster, seconds: float) -> list[Call]:
    tasks = [Call(f"{cluster.gateway.url}/gpu?ms={seconds * 1000:.0f}") for _ in range(GPUS)]
    wait_for("all GPUs are taken", lambda: sum(pod.stats()["in_use"]["gpus"] for pod in cluster.pods) == GPUS, 10)
    return tasks


def expires(run: Run, cluster: Cluster) -> None:
    answer = Call(f"{cluster.gateway.url}/gpu?ms=1").result()
    show_expiry(run, "a GPU request gets its 503", answer, HOLD)
    retry_after = answer.headers.get("Retry-After", "none")
    run.show("its Retry-After", "1–60", retry_after, retry_after.isdigit() and 1 <= int(retry_after) <= 60)
    reason = answer.headers.get("Neutrino-Reason", "none")
    run.equal("its Neutrino-Reason", "no_capacity", reason)
    run.equal("its type", "application/problem+json", answer.headers.get("Content-Type", "none").split(";")[0])
    problem = json.loads(answer.body)
    run.show("its detail names what lacks", "gpus", problem.get("detail", "none"), "gpus" in problem.get("detail", ""))
    shorter = Call(f"{cluster.gateway.url}/gpu?ms=1", {"Prefer": "wait=1"}).result()
    show_expiry(run, "with Prefer: wait=1", shorter, 1)


def show_expiry(run: Run, what: str, answer: Answer, after: float) -> None:
    bar = f"503 after {after:g} ±{TOLERANCE} s"
    passed = answer.status == 503 and abs(answer.took - after) <= TOLERANCE
    run.show(what, bar, f"{answer.status} after {answer.took:.3f} s", passed)


def cpu_requests_pass(run: Run, cluster: Cluster) -> None:
    waiting = [Call(f"{cluster.gateway.url}/gpu?ms=1") for _ in range(20)]
    load = run.generator.run("open", cluster.port, request=["1,POST,/cpu?ms=0,493"], rate=50, seconds=2, warmup=0.2)
    run.equal("CPU requests meanwhile", {"200": 100}, load["statuses"] | load["errors"])
    run.within("the slowest of them", load["latency"]["max"], 20, " ms")
    statuses = {call.result().status for call in waiting}
    run.equal("the 20 GPU requests that waited meanwhile", {503}, statuses)


def set_hold(cluster: Cluster, seconds: float | None) -> None:
    status, answer = cluster.admin(f"/routes/{ROUTE}", "PATCH", {"hold_timeout": seconds})
    if status != 200:
        raise HarnessError(f"PATCH of the hold timeout answered {status}: {answer}")


def deadlines_move(run: Run, cluster: Cluster) -> None:
    for seconds in (HOLD + 2, HOLD - 1):
        call = Call(f"{cluster.gateway.url}/gpu?ms=1")
        time.sleep(1)
        set_hold(cluster, seconds)
        way = "later" if seconds > HOLD else "sooner"
        show_expiry(run, f"a PATCH while it waits makes it {way}", call.result(), seconds)
        set_hold(cluster, None)
    show_expiry(run, "null gives the old one back", Call(f"{cluster.gateway.url}/gpu?ms=1").result(), HOLD)


def new_pods_are_found(run: Run, cluster: Cluster) -> None:
    set_hold(cluster, 20)
    call = Call(f"{cluster.gateway.url}/gpu?ms=1")
    time.sleep(0.5)
    pod = start_pod(run.session, "d", 4, 1, 16)
    cluster.pods.append(pod)
    cluster.write_configuration()
    cluster.gateway.process.signal(1)
    show_served(run, "a pod added to the re-read configuration gets the one that waits", call, pod.name, time.monotonic())

    pod.server.process.kill()
    call = Call(f"{cluster.gateway.url}/gpu?ms=1")
    time.sleep(POLL + 1)
    again = start_pod(run.session, "d", 4, 1, 16, port=pod.server.port)
    show_served(run, "a pod that comes back gets the one that waits", call, again.name, time.monotonic())
    set_hold(cluster, None)


def show_served(run: Run, what: str, call: Call, pod: str, since: float) -> None:
    answer = call.result()
    after = call.sent + answer.took - since
    passed = answer.status == 200 and answer.pod == pod and after <= POLL + 0.1
    run.show(what, f"200 by {pod} within {POLL:g} s", f"{answer.status} by {answer.pod} after {after:.3f} s", passed)
