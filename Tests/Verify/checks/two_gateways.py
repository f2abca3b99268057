"""Line 3 of issue 6: two gateways over the same pods, which agree only through the pods' own admission."""

from __future__ import annotations

import json

from cluster import TaskPod, document, operation, start_pod
from fleet import Gateway
from harness.processes import Session
from registry import Run, check

#: With so many GPUs each.
PODS = 6
GPUS = 2
TASK = 0.200
SECONDS = 20
LOAD = 0.9
#: GPU requests a second that take so much of the GPUs' time.
RATE = LOAD * PODS * GPUS / TASK


class Pods:
    """Six simulated pods and what gateways are told of them."""

    def __init__(self, session: Session):
        self.session = session
        self.document = session.folder / "openapi.json"
        # Longer than any line that there will be.
        self.document.write_text(json.dumps(document(gpu=operation(gpus=1, hold=60))))
        self.pods: list[TaskPod] = [start_pod(session, f"pod-{number}", 16, GPUS, 64) for number in range(PODS)]
        self.configuration = session.folder / "gateway.yaml"
        self.configuration.write_text("static_backends:\n" + "".join(f"  - {pod.url}\n" for pod in self.pods))


@check("6.3", "two gateways over the same six pods at 90 % GPU load")
def two_gateways(run: Run) -> None:
    pods = Pods(run.session)
    gateways = [Gateway(pods, number) for number in (0, 1)]
    for gateway in gateways:
        gateway.wait_for_pods()
    ninety_per_cent(run, pods, gateways)
    all_they_can_get(run, pods, gateways)


def ninety_per_cent(run: Run, pods: Pods, gateways: list[Gateway]) -> None:
    mix = [f"1,POST,/gpu?ms={TASK * 1000:.0f},493"]
    loads = [run.generator.start("open", gateway.server.port, request=mix, rate=RATE / 2, seconds=SECONDS, warmup=0) for gateway in gateways]
    answers = [load.result() for load in loads]
    count = int(RATE / 2 * SECONDS)
    for gateway, answer in zip(gateways, answers):
        run.equal(f"answers of gateway {gateway.number}", {"200": count}, answer["statuses"] | answer["errors"])
        latency = " ".join(f"{answer['latency'][key]:.0f}" for key in ("p50", "p99", "max"))
        run.show(f"for the record: 50 %, 99 % and all of its {TASK * 1000:.0f} ms tasks within", "–", f"{latency} ms", True)
    busy = sum(pod.stats()["gpu_busy_seconds"] for pod in pods.pods) / (PODS * GPUS * SECONDS)
    run.show("the load of the GPUs, by the pods' account", f"≈ {LOAD:.0%}", f"{busy:.1%}", abs(busy - LOAD) < 0.05)
    refused = account(run, pods)
    run.show("for the record: refused by pods, and sent elsewhere", "–", f"{refused} of {2 * count}", True)
    done = [answer["statuses"].get("200", 0) for answer in answers]
    apart = abs(done[0] - done[1]) / max(*done, 1)
    run.show("the gateways' shares, apart by", "≤ 20 %", f"{apart:.1%} ({done[0]} and {done[1]})", apart <= 0.2)


def all_they_can_get(run: Run, pods: Pods, gateways: list[Gateway]) -> None:
    """More than the GPUs can do, from as many clients at each: what one takes, the other does not get."""
    mix = [f"1,POST,/gpu?ms={TASK * 1000:.0f},493"]
    clients = PODS * GPUS
    loads = [
        run.generator.start(
            "mixed", gateway.server.port, request=mix, clients=clients, requests=100_000, seconds=SECONDS, output=run.session.folder / f"answers-{gateway.number}"
        )
        for gateway in gateways
    ]
    answers = [load.result() for load in loads]
    for gateway, answer in zip(gateways, answers):
        run.equal(f"twice the load: answers of gateway {gateway.number} but 200", {}, answer["errors"] | {key: n for key, n in answer["statuses"].items() if key != "200"})
    done = [answer["statuses"].get("200", 0) for answer in answers]
    use = sum(done) * TASK / (PODS * GPUS * max(answer["seconds"] for answer in answers))
    run.within("twice the load: GPUs' time that was used", use * 100, 85, " %", 1, below=False)
    account(run, pods)
    # Who has a GPU hears first that it is free, and may keep what it had at the beginning (docs/sizing.md).
    run.show("for the record: twice the load, the smaller share", "–", f"{min(done) / max(sum(done), 1):.1%}", True)


def account(run: Run, pods: Pods) -> int:
    """The pods' own; what they refused so far."""
    stats = [pod.stats() for pod in pods.pods]
    peak = max(each["peak"]["gpus"] for each in stats)
    run.show("GPUs in use at once on any pod, by its own account", f"≤ {GPUS}", peak, 0 < peak <= GPUS)
    return sum(each["refused"] for each in stats)
