"""Line 5 of issue 3: who may call the operators' listener, and that credentials of clients are found nowhere."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import subprocess
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cluster import Call
from harness import programs
from harness.processes import HarnessError, fetch, free_ports, wait_for
from registry import Run, check

#: Calls that need no token: they tell who one is, or change it.
OPEN = {"GET /admin/api/session", "POST /admin/login", "POST /admin/logout"}
#: More than a body that is kept in memory.
LARGE = 4 << 20


@check("3.5", "tokens, hosts, origins; secrets of clients in no place that is written or shown")
def access(run: Run) -> None:
    starts_only_with_a_token(run)
    guards_every_call(run)
    keeps_no_secret(run)


def starts_only_with_a_token(run: Run) -> None:
    ports = free_ports(2)
    environment = {"PATH": "/usr/bin:/bin", "ADMIN_HOST": "0.0.0.0", "GATEWAY_PORT": str(ports[0]), "ADMIN_PORT": str(ports[1])}
    environment["DATABASE_PATH"] = str(run.session.subfolder("refused") / "neutrino.db")
    command = [programs.release_binary("neutrino-gateway"), "serve"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    told = "is not loopback and there is no token" in done.stderr
    run.show("ADMIN_HOST=0.0.0.0 without a token", "does not start, and says why", f"{done.returncode}: {done.stderr.strip()}", done.returncode == 78 and told)


def documented_calls(document: dict) -> list[tuple[str, str]]:
    """Method and path of each call of the API's own document, which a test holds to be whole."""
    calls = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods if path.startswith("/admin")]
    return sorted((method, re.sub(r"\{\w+\}", "0AMCGAA6W0000", path)) for method, path in calls)


class Guarded:
    """A gateway whose operators' listener is open to the network, with a token."""

    def __init__(self, run: Run, name: str, backends: list[str], settings: dict | None = None):
        self.folder = run.session.subfolder(name)
        self.token = "operator-" + secrets.token_hex(16)
        token_file = self.folder.parent / f"{name}-token"
        token_file.write_text(self.token + "\n")
        settings = {"ADMIN_HOST": "0.0.0.0", "ADMIN_TOKEN_FILE": token_file, **(settings or {})}
        database = self.folder / "neutrino.db"
        self.gateway = programs.gateway(run.session, backends, name, settings=settings, database=database)

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.gateway.admin}"

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        fields = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        status, _, answer = fetch(self.admin + path, method, data, {name: value for name, value in fields.items() if value})
        return status, answer


def guards_every_call(run: Run) -> None:
    guarded = Guarded(run, "guarded", [])
    calls = documented_calls(json.loads(guarded.ask("/admin/api/openapi.json")[1]))
    run.show("calls in the API's document", "≥ 25", len(calls), len(calls) >= 25)
    asked = [call for call in calls if " ".join(call) not in OPEN]

    def others(expected: int, calls: list[tuple[str, str]], **headers: str) -> str:
        """The calls that answer something else."""
        answers = [(guarded.ask(path, method, **headers)[0], method, path) for method, path in calls]
        return ", ".join(f"{method} {path}: {status}" for status, method, path in answers if status != expected) or "none"

    run.equal(f"of {len(asked)} without the token other than 401", "none", others(401, asked, Authorization=""))
    everything = calls + [("GET", "/admin"), ("GET", "/admin/assets/main.js")]
    run.equal(f"of {len(everything)} with a Host of another name other than 421", "none", others(421, everything, Host="evil.example"))
    changes = [call for call in calls if call[0] != "GET"]
    for origin in ("http://evil.example", f"http://127.0.0.1:{guarded.gateway.port}", "null"):
        run.equal(f"of {len(changes)} changes from {origin} other than 403", "none", others(403, changes, Origin=origin))
    status, _ = guarded.ask("/admin/api/queue")
    run.equal("with the token", 200, status)
    for _ in range(5):
        guarded.ask("/admin/login", "POST", {"token": "wrong"}, Authorization="")
    status, _ = guarded.ask("/admin/login", "POST", {"token": guarded.token}, Authorization="")
    run.equal("a sixth login within a minute, with the right token", 429, status)


class Recorder:
    """An HTTP server in this process that keeps what it was sent."""

    def __init__(self, capacity: dict | None = None):
        seen: list[bytes] = []
        gate = threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if self.path == "/capacity":
                    return self.answer(json.dumps(capacity).encode())
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen.append(str(self.headers).encode() + body)
                if "hold" in self.path:
                    gate.wait(30)
                self.answer(b"{}", 500 if "fail" in self.path else 200)

            def answer(self, body: bytes, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.seen, self.gate = seen, gate
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def has(self, text: str) -> bool:
        return any(text.encode() in each for each in self.seen)


def keeps_no_secret(run: Run) -> None:
    one = {"cpus": 1, "gpus": 0, "memory_gb": 8}
    pod = Recorder({"available_cpus": 1, "available_gpus": 0, "available_memory_gb": 8, "total": one})
    collector = Recorder()
    settings = {
        "LOG_LEVEL": "trace",
        "ACCESS_LOG": "all",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "CAPACITY_UPDATE_INTERVAL": "0.2",
    }
    guarded = Guarded(run, "secrets", [pod.url], settings)
    wait_for("the pod is known", lambda: b'"available":{' in guarded.ask("/admin/api/pods")[1], 10)
    hidden = {name: f"{name}-{secrets.token_hex(16)}" for name in ("bearer", "cookie", "key", "replayed")}
    marker = f"marker-{secrets.token_hex(8)}"
    fields = {
        "Authorization": f"Bearer {hidden['bearer']}",
        "Cookie": f"session={hidden['cookie']}",
        "X-Api-Key": hidden["key"],
        "X-Marker": marker,
    }
    # One that holds the pod, one that waits, small and large: what is written while they are there, is there to be found.
    url = guarded.gateway.url
    calls = [Call(f"{url}/hold", fields)]
    wait_for("the pod has one", lambda: pod.has(marker), 10)
    calls.append(Call(f"{url}/waits", fields))
    large = threading.Thread(target=lambda: fetch(f"{url}/large", "POST", b"x" * LARGE, fields))
    large.start()
    wait_for("two wait", lambda: json.loads(guarded.ask("/admin/api/queue")[1])["depth"] == 2, 10)
    during = shown(guarded) | written(run, guarded)
    pod.gate.set()
    for call in calls:
        call.result()
    large.join()
    fetch(f"{url}/fail", "POST", b"{}", fields)
    again = {"confirm": True, "headers": {name: hidden["replayed"] for name in ("Authorization", "Cookie", "X-Api-Key")}}
    wait_for("all four have ended", lambda: len(ended(guarded)) == 4, 10)
    rows = ended(guarded)
    status, answer = guarded.ask(f"/admin/api/requests/{rows[0]['id']}/replay", "POST", again)
    run.show("a replay with credentials of its own", "202", f"{status} {answer.decode()}", status == 202)
    wait_for("the replay reaches the pod", lambda: pod.has(hidden["replayed"]), 10)
    after = shown(guarded)
    after["backup"] = guarded.ask("/admin/api/backup")[1]
    guarded.gateway.process.stop(20)
    after |= written(run, guarded) | {"traces": b"".join(collector.seen)}

    spooled = [name for name, content in during.items() if len(content) >= LARGE and content.count(b"x") >= LARGE]
    run.show("the large body lies in a file of its own", "yes", ", ".join(spooled) or "no", bool(spooled))
    run.show("spans reached the collector", "yes", "yes" if collector.has("traceId") else "no", collector.has("traceId"))
    for name, secret in hidden.items():
        run.show(f"the pod got the {name} secret", "yes", "yes" if pod.has(secret) else "no", pod.has(secret))
    for when, places in (("during", during), ("after", after)):
        run.show(f"{when}: what is no secret is found", "≥ 2 places", *found(places, marker, least=2))
        for name, secret in (hidden | {"operators'": guarded.token}).items():
            run.show(f"{when}: the {name} secret in {len(places)} places", "in none", *found(places, secret))
    run.show("for the record: places", "–", ", ".join(sorted(after)), True)


def ended(guarded: Guarded) -> list[dict]:
    return [row for row in json.loads(guarded.ask("/admin/api/requests")[1])["requests"] if row.get("ended_at")]


def found(places: dict[str, bytes], text: str, least: int = 0) -> tuple[str, bool]:
    where = sorted(name for name, content in places.items() if text.encode() in content)
    return ", ".join(where) or "none", len(where) >= least if least else not where


def shown(guarded: Guarded) -> dict[str, bytes]:
    """What the API and the page tell, requests one by one."""
    rows = json.loads(guarded.ask("/admin/api/requests")[1])["requests"]
    paths = [f"/admin/api/{name}" for name in ("queue", "pods", "routes", "requests", "replays", "changes", "history", "session")]
    paths += [f"/admin/api/requests/{row['id']}" for row in rows] + ["/admin", "/metrics"]
    return {path: guarded.ask(path)[1] for path in paths} | {"/admin/api/events": events(guarded)}


def events(guarded: Guarded) -> bytes:
    """The first second of what the page lives on."""
    connection = http.client.HTTPConnection("127.0.0.1", guarded.gateway.admin, timeout=1)
    connection.request("GET", "/admin/api/events", headers={"Authorization": f"Bearer {guarded.token}"})
    content, end = b"", time.monotonic() + 1
    with suppress(TimeoutError):
        answer = connection.getresponse()
        while time.monotonic() < end and (part := answer.read1(65536)):
            content += part
    connection.close()
    return content


def written(run: Run, guarded: Guarded) -> dict[str, bytes]:
    """Every file of the gateway: database, write-ahead log, spool; and its log."""
    files = [path for path in guarded.folder.rglob("*") if path.is_file()]
    if not any(path.name.startswith("neutrino.db") for path in files):
        raise HarnessError(f"no database in {guarded.folder}")
    contents = {str(path.relative_to(guarded.folder)): read(path) for path in files}
    return contents | {"log": read(guarded.gateway.process.log)}


def read(path: Path) -> bytes:
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""
