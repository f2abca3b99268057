"""Line 6 of issue 6: uvicorn and FastAPI behind the sidecar, driven through the gateway by the document that FastAPI makes of itself."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from pathlib import Path

from cluster import Answer, Call, get_json
from harness import programs
from harness.processes import fetch, wait_for
from registry import Run, check
from server_pod import ServerPod, start_server_pod

POLL = 2.0
HEADERS = {"Content-Type": "application/json"}


@check("6.6", "uvicorn + FastAPI behind the sidecar, by its own OpenAPI document")
def real_server(run: Run) -> None:
    document = run.session.folder / "openapi.json"
    with_gpu = start_server_pod(run.session, "gpu", 1, document)
    without = start_server_pod(run.session, "cpu", 0, document)
    for pod in (with_gpu, without):
        pod.wait_until_ready()
    settings = {"OPENAPI_SPEC_PATH": document, "CAPACITY_UPDATE_INTERVAL": POLL}
    gateway = programs.gateway(run.session, [with_gpu.url, without.url], settings=settings)
    admin = f"http://127.0.0.1:{gateway.admin}/admin/api"
    wait_for("both are sampled", lambda: all(pod.get("available") for pod in get_json(admin + "/pods")["pods"]), 10)

    document_is_read(run, admin, document)
    needs_are_respected(run, gateway.url, with_gpu, without)
    streams(run, gateway.port)
    capacity_is_right(run, admin, with_gpu)
    answers_are_the_servers_own(run, gateway.url)


def document_is_read(run: Run, admin: str, document: Path) -> None:
    paths = json.loads(document.read_text())["paths"]
    described = {f"{method.upper()} {path}" for path, item in paths.items() for method in item}
    routes = {route["id"]: route for route in get_json(admin + "/routes")["routes"]}
    run.equal("operations of the document that are no routes", "none", ", ".join(sorted(described - routes.keys())) or "none")
    generate = routes.get("POST /v1/generate", {})
    run.equal("needs of POST /v1/generate", {"cpus": 1, "gpus": 1, "memory_gb": 8}, generate.get("needs"))
    run.equal("its hold timeout", 60, generate.get("hold_timeout"))


def post(url: str, path: str, milliseconds: float = 50) -> Call:
    return Call(url + path, HEADERS, body=json.dumps({"text": "hello", "milliseconds": milliseconds}).encode())


def needs_are_respected(run: Run, url: str, with_gpu: ServerPod, without: ServerPod) -> None:
    calls = [post(url, "/v1/generate") for _ in range(30)] + [post(url, "/v1/embed", 100) for _ in range(60)]
    answers = [call.result() for call in calls]
    run.equal("30 GPU and 60 CPU requests at once", {200: 90}, dict(Counter(answer.status for answer in answers)))
    read = [json.loads(answer.body) for answer in answers if answer.status == 200]
    generated = [each for each in read if each["needs"] == "cpus=1, gpus=1, memory_gb=8"]
    run.equal("GPU requests by pod", {"gpu": 30}, dict(Counter(each["pod"] for each in generated)))
    run.equal("of these, most at once on its one GPU, by the server", 1, max(each["at_once"] for each in generated))
    embedded = [each for each in read if each["needs"] == "cpus=2, gpus=0, memory_gb=2"]
    most = {pod: max((each["at_once"] for each in embedded if each["pod"] == pod), default=0) for pod in ("cpu", "gpu")}
    run.show("most CPU requests of 2 CPUs at once on a pod's 8", "≤ 4 on both", most, len(embedded) == 60 and 0 < max(most.values()) <= 4)
    model = fetch(f"{url}/v1/models/llama")
    run.equal("a path with a parameter", (200, "llama"), (model[0], json.loads(model[2]).get("model")))
    run.show("for the record: refused by the pods", "–", [pod.stats()["refused"] for pod in (with_gpu, without)], True)


def streams(run: Run, port: int, events: int = 20, interval: float = 50) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/v1/stream?events={events}&interval_ms={interval}")
    answer = connection.getresponse()
    numbers, delays = [], []
    while line := answer.readline():
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            delays.append(time.time() - event["sent"])
            numbers.append(event["n"])
    connection.close()
    run.equal("server-sent events, in order", f"{events} of {events}", f"{len(numbers)} of {events}" if numbers == list(range(events)) else numbers)
    run.within("the longest that one was on its way", max(delays) * 1000, 250, " ms", 1)


def capacity_is_right(run: Run, admin: str, pod: ServerPod) -> None:
    """What comes past the gateway is seen by it with the next poll, when it begins and when it ends."""

    def free() -> float:
        return next(each["available"]["gpus"] for each in get_json(admin + "/pods")["pods"] if each["id"] == pod.url)

    wait_for("its GPU is free", lambda: free() == 1, POLL + 1)
    direct = post(pod.url, "/v1/generate", 5000)
    began = time.monotonic()
    wait_for("the gateway sees that it is taken", lambda: free() == 0, 3 * POLL)
    run.within("a GPU taken past the gateway is known after", time.monotonic() - began, POLL + 0.3, " s")
    refused = post(pod.url, "/v1/generate").result()
    run.equal("a second one past the gateway, by the sidecar and the document", 503, refused.status)
    answer: Answer = direct.result()
    ended = time.monotonic()
    run.equal("the first one", 200, answer.status)
    wait_for("the gateway sees that it is free", lambda: free() == 1, 3 * POLL)
    run.within("that it is free again is known after", time.monotonic() - ended, POLL + 0.3, " s")


def answers_are_the_servers_own(run: Run, url: str) -> None:
    status, headers, body = fetch(url + "/v1/embed", "POST", b'{"text": 1}', HEADERS)
    said = json.loads(body)["detail"][0]["type"] if status == 422 else body[:60]
    run.equal("what FastAPI says to a body that does not fit", (422, "string_type"), (status, said))
    run.equal("reason of the gateway in it", "none", headers.get("Neutrino-Reason", "none"))
    status, _, _ = fetch(url + "/v1/none")
    run.equal("what FastAPI says to a path it has not", 404, status)
