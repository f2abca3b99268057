"""Line 3 of issue 3: with a million rows in the log every admin call is quick, and clients do not notice."""

from __future__ import annotations

import http.client
import json
import re
import time
from urllib.parse import quote

import large_log as database_of
from cluster import document, get_json, operation
from harness import programs
from harness.processes import HarnessError, free_ports, wait_for, wait_until_listening
from registry import Run, check

ROWS = 1_000_000
RATE = 500
#: Of each call.
TIMES = 100
#: Seconds of load alone, before.
ALONE = 15
BAR = 100.0
LOAD = ["4,POST,/cpu,493", "1,POST,/gpu,493"]


@check("3.3", "1,000,000 rows in the log: every admin call while 500 requests/s pass")
def large(run: Run) -> None:
    database = run.session.folder / "neutrino.db"
    database_of.make(database, ROWS)
    described = run.session.folder / "openapi.json"
    described.write_text(json.dumps(document(gpu=operation(gpus=1), cpu=operation())))
    pods = [programs.nginx_pod(run.session, f"pod-{index}", port) for index, port in enumerate(free_ports(3))]
    settings = {"OPENAPI_SPEC_PATH": described, "LOG_LEVEL": "warning"}
    gateway = programs.gateway(run.session, [pod.url for pod in pods], settings=settings, database=database)
    wait_until_listening(gateway.process, gateway.admin)
    admin = Admin(gateway.admin)
    wait_for("every pod was sampled", lambda: all(pod.get("available") for pod in admin.json("/pods")["pods"]), 10)
    calls = the_calls(admin)

    alone = run.generator.run("open", gateway.port, request=LOAD, rate=RATE, seconds=ALONE, warmup=2)["latency"]["p99"]
    load = run.generator.start("open", gateway.port, request=LOAD, rate=RATE, seconds=300, warmup=2)
    try:
        figures = [(name, measure(admin, *call)) for name, call in calls]
        page = page_load(admin)
    finally:
        load.stop()
    slowest = max(figures, key=lambda figure: figure[1])
    for name, p99 in sorted(figures, key=lambda figure: -figure[1]):
        run.within(name, p99, BAR, " ms", digits=1)
    run.show("the slowest of them", f"< {BAR:g} ms", f"{slowest[0]}: {slowest[1]:.1f} ms", slowest[1] < BAR)
    run.within("the page and all that it asks for", page, 1.0, " s", digits=3)
    beside = measured_beside(run, gateway.port, admin, calls)
    run.within(f"clients' p99 beside such calls (alone {alone:.2f} ms), more by", beside - alone, 5, " ms")


def measured_beside(run: Run, port: int, admin: "Admin", calls: list) -> float:
    """The clients' p99 while operators call one thing after another, ten a second."""
    load = run.generator.start("open", port, request=LOAD, rate=RATE, seconds=ALONE, warmup=2)
    turn = 0
    while load.popen.poll() is None:
        _, call = calls[turn % len(calls)]
        admin.call(*call)
        turn += 1
        time.sleep(0.1)
    return load.result()["latency"]["p99"]


def the_calls(admin: "Admin") -> list[tuple[str, tuple]]:
    """Every call, with what it answers; filters one by one, the worst of text searches, and a page from the middle."""
    newest = admin.json("/requests?limit=1")["requests"][0]["id"]
    middle = admin.json(f"/requests?limit=1&until={int(time.time() * 1000) - database_of.SPAN // 2}")["requests"][0]["id"]
    failed = admin.json("/requests?state=failed&limit=1")["requests"][0]["id"]
    pod = quote(admin.json("/pods")["pods"][0]["id"], safe="")
    route = quote("POST /gpu", safe="")
    since = int(time.time() * 1000) - 3_600_000
    looks = ["/queue", "/pods", "/routes", "/history", "/changes?limit=500", "/changes?before=5000", "/session", "/openapi.json"]
    looks += ["/requests", "/requests?limit=500", f"/requests?before={middle}", f"/requests?since={since}"]
    looks += ["/requests?state=failed", "/requests?state=failed,expired,cancelled,interrupted", "/requests?state=queued,dispatched"]
    looks += ["/requests?reason=no_pods", f"/requests?route={route}", "/requests?status=5xx", "/requests?pod=http://10.1.0.3:8000"]
    looks += [f"/requests?until={since}", f"/requests?replay_of={failed}", "/requests?replay_job=1", "/requests?state=completed&text=nowhere"]
    looks += ["/replays", f"/replays/{job(admin)}"]
    looks += ["/requests?text=item%3D123", "/requests?text=nowhere", f"/requests?text=nowhere&before={middle}", f"/requests/{failed}"]
    calls = [(f"GET {look}", ("GET", look, None, 200)) for look in looks]
    calls += [(f"GET {path}", ("GET", path, None, 200)) for path in ("/admin", "/metrics", "/health", "/ready")]
    calls += [
        ("PATCH /routes/{id}", ("PATCH", f"/routes/{route}", {"hold_timeout": 30}, 200)),
        ("POST /pause of a route", ("POST", "/pause", {"route": "default"}, 200)),
        ("POST /resume", ("POST", "/resume", {"route": "default"}, 200)),
        ("POST /pods/{id}/drain", ("POST", f"/pods/{pod}/drain", None, 200)),
        ("POST /pods/{id}/undrain", ("POST", f"/pods/{pod}/undrain", None, 200)),
        ("POST /pods/{id}/reset", ("POST", f"/pods/{pod}/reset", None, 200)),
        ("POST /requests/{id}/replay", ("POST", f"/requests/{failed}/replay", {"confirm": True}, 202)),
        ("DELETE /requests/{id}", ("DELETE", f"/requests/{newest}", None, 409)),
        # Of a filter that has an index. Without one a dry run counts for seconds: that is what it is there for.
        ("POST /replays, dry run", ("POST", "/replays", {"filter": {"state": ["failed"]}, "dry_run": True}, 200)),
        ("POST /purge, dry run", ("POST", "/purge", {"filter": {"state": ["failed"]}, "dry_run": True}, 200)),
    ]
    return calls


def job(admin: "Admin") -> str:
    """A bulk replay that is there to be asked for; it stands still."""
    status, answer = admin.ask("POST", "/replays", {"filter": {"state": ["failed"]}, "rate": 0.01, "max": 1})
    if status != 202:
        raise HarnessError(f"POST /replays answered {status}: {answer[:300]!r}")
    made = json.loads(answer)["id"]
    admin.call("POST", f"/replays/{made}/pause", None, 200)
    return made


def measure(admin: "Admin", *call) -> float:
    """The p99 of a call in milliseconds."""
    taken = sorted(admin.call(*call) for _ in range(TIMES))
    return taken[int(len(taken) * 0.99) - 1] * 1000


def page_load(admin: "Admin") -> float:
    """Seconds until a browser that asks one thing after another has the page, its parts, and what it shows first."""
    begin = time.monotonic()
    asked: set[str] = set()
    texts = [admin.ask("GET", "/admin")[1]]
    while texts:
        # What the document links, and the modules that the scripts import.
        for name in set(re.findall(rb'(?:assets|\.)/([\w-]+\.(?:js|css|svg))"', texts.pop())) - asked:
            asked.add(name)
            status, body = admin.ask("GET", f"/admin/assets/{name.decode()}")
            if status != 200:
                raise HarnessError(f"the page's {name.decode()} answered {status}")
            texts.append(body)
    for path in ["/session", "/queue", "/pods", "/routes", "/history", "/requests"]:
        admin.call("GET", path, None, 200)
    if len(asked) < 10:
        raise HarnessError(f"the page has more parts than {sorted(asked)}: this check no longer finds them")
    return time.monotonic() - begin


class Admin:
    """One kept connection to the operators' listener."""

    def __init__(self, port: int):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """`path` is below /admin/api, unless it is one of the few that are not."""
        if not path.startswith(("/admin", "/metrics", "/health", "/ready")):
            path = f"/admin/api{path}"
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def call(self, method: str, path: str, body: object, expected: int) -> float:
        """Makes a call and returns how long it took."""
        begin = time.perf_counter()
        status, answer = self.ask(method, path, body)
        took = time.perf_counter() - begin
        if status != expected:
            raise HarnessError(f"{method} {path} answered {status}: {answer[:300]!r}")
        return took

    def json(self, path: str) -> dict:
        return get_json(f"http://127.0.0.1:{self.port}/admin/api{path}")
