"""The arrangement that most checks begin with: three task pods as in the issue, a gateway before them, and its database."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from harness import programs
from harness.processes import HarnessError, Session, fetch, free_ports, wait_for, wait_until_listening
from harness.programs import Server

#: Name, CPUs, GPUs and memory of each pod: gpus 2/0/1, cpus 8/8/4.
PODS = [("a", 8, 2, 32), ("b", 8, 0, 32), ("c", 4, 1, 16)]
GPUS = sum(gpus for _, _, gpus, _ in PODS)
#: Seconds between polls, where a check does not say otherwise: the default.
POLL = 2.0


@dataclass
class TaskPod:
    """A simulated pod and what it tells about itself."""

    name: str
    server: Server
    resources: tuple[float, float, float]

    @property
    def url(self) -> str:
        return self.server.url

    def stats(self) -> dict:
        return get_json(self.url + "/_pod/stats")

    def requests(self) -> list[str]:
        """The ids of the requests that ran here, in order."""
        document = get_json(self.url + "/_pod/requests")
        if document["forgotten"]:
            raise HarnessError(f"pod {self.name} has forgotten {document['forgotten']} ids: the check ran more than it can follow")
        return document["requests"]


def get_json(url: str, **options) -> dict:
    status, _, body = fetch(url, **options)
    if status != 200:
        raise HarnessError(f"{url} answered {status}: {body[:200]!r}")
    return json.loads(body)


def start_pod(session: Session, name: str, cpus: float, gpus: float, memory: float, port: int = 0) -> TaskPod:
    port = port or free_ports(1)[0]
    command = [programs.release_binary("neutrino-pod"), "--simulate", "--name", name, "--host", "127.0.0.1", "--port", port]
    command += ["--cpus", cpus, "--gpus", gpus, "--memory-gb", memory]
    process = session.start(f"pod-{name}", command)
    wait_until_listening(process, port)
    return TaskPod(name, Server(process, port), (cpus, gpus, memory))


def operation(cpus: float = 1, gpus: float = 0, memory: float = 1, hold: float | None = None) -> dict:
    """An operation of an OpenAPI document that needs something."""
    described = {
        "responses": {"200": {"description": "done"}},
        "x-neutrino-resources": {"num_cpus": cpus, "num_gpus": gpus, "memory_gb": memory},
    }
    if hold is not None:
        described["x-neutrino-hold-timeout"] = hold
    return described


def document(**paths: dict) -> dict:
    """An OpenAPI document with a POST operation for each path: `document(gpu=operation(gpus=1))` has `POST /gpu`."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "checks", "version": "1"},
        "paths": {f"/{name}": {"post": described} for name, described in paths.items()},
    }


class Cluster:
    """Pods and a gateway that knows which of its requests need GPUs: `POST /gpu` one, `POST /cpu` none."""

    def __init__(self, session: Session, settings: dict | None = None, hold: float | None = None):
        """`hold` is the hold timeout of `/gpu`, in seconds; `settings` are the gateway's environment."""
        self.session = session
        self.folder = session.subfolder("cluster")
        self.database = self.folder / "neutrino.db"
        self.configuration = self.folder / "gateway.yaml"
        self.ports = tuple(free_ports(2))
        self.pods = [start_pod(session, *each) for each in PODS]
        described = self.folder / "openapi.json"
        described.write_text(json.dumps(document(gpu=operation(gpus=1, hold=hold), cpu=operation())))
        self.settings = {
            "OPENAPI_SPEC_PATH": described,
            "CAPACITY_UPDATE_INTERVAL": POLL,
            # Not from the environment, which would win over the file that a check changes.
            "STATIC_BACKENDS": None,
            **(settings or {}),
        }
        self.write_configuration()
        self.start_gateway()

    def write_configuration(self) -> None:
        """Writes which pods there are; the gateway reads it at start and at SIGHUP."""
        self.configuration.write_text("static_backends:\n" + "".join(f"  - {pod.url}\n" for pod in self.pods))

    def start_gateway(self) -> Server:
        """Starts the gateway, or starts it again on the same ports and database."""
        self.gateway = programs.gateway(
            self.session,
            [],
            settings=self.settings,
            arguments=["--config", self.configuration],
            ports=self.ports,
            database=self.database,
        )
        self.wait_for_pods()
        return self.gateway

    def wait_for_pods(self) -> None:
        """Until the gateway has a sample of every pod; before that it only holds."""
        wait_for("the gateway has sampled every pod", self.all_sampled, 10)

    def all_sampled(self) -> bool:
        pods = get_json(f"http://127.0.0.1:{self.gateway.admin}/admin/api/pods")["pods"]
        return len(pods) >= len(self.pods) and all(pod.get("available") for pod in pods)

    @property
    def port(self) -> int:
        return self.gateway.port

    def admin(self, path: str, method: str = "GET", body: object = None) -> tuple[int, dict]:
        """A call of the admin API."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        url = f"http://127.0.0.1:{self.gateway.admin}/admin/api{path}"
        status, _, answer = fetch(url, method, data, headers)
        return status, json.loads(answer) if answer else {}

    def rows(self) -> Database:
        return Database(self.database)

    def wait_until_settled(self, patience: float = 5) -> None:
        """Until every row has its outcome: the last ones are written a few milliseconds after their answers."""

        def is_settled() -> bool:
            with self.rows() as database:
                return database.value("SELECT count(*) FROM requests r LEFT JOIN outcomes o ON o.request = r.id WHERE o.request IS NULL") == 0

        wait_for("every row has its outcome", is_settled, patience)


class Database:
    """Reads the gateway's database from outside, as docs/ says anyone may."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> "Database":
        self.connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)
        self.connection.row_factory = sqlite3.Row
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def value(self, sql: str, *arguments: object):
        return self.connection.execute(sql, arguments).fetchone()[0]

    def all(self, sql: str, *arguments: object) -> list[sqlite3.Row]:
        return self.connection.execute(sql, arguments).fetchall()

    def states(self) -> dict[str, int]:
        return dict(self.connection.execute("SELECT state, count(*) FROM request_log GROUP BY state").fetchall())


@dataclass
class Answer:
    """What a client got, and when."""

    status: int
    headers: object
    body: bytes
    sent: float
    took: float

    @property
    def pod(self) -> str | None:
        with contextlib.suppress(ValueError):
            return json.loads(self.body).get("pod")
        return None


class Call(threading.Thread):
    """One request on a thread of its own, for checks that look at what happens meanwhile."""

    def __init__(self, url: str, headers: dict | None = None, patience: float = 90, body: bytes = b"{}"):
        super().__init__(daemon=True)
        self.url = url
        self.body = body
        self.headers = headers
        self.patience = patience
        self.answer: Answer | None = None
        self.problem: Exception | None = None
        self.sent = time.monotonic()
        self.start()

    def run(self) -> None:
        try:
            status, headers, body = fetch(self.url, "POST", self.body, self.headers, self.patience)
            self.answer = Answer(status, headers, body, self.sent, time.monotonic() - self.sent)
        except OSError as problem:
            self.problem = problem

    def result(self, patience: float = 90) -> Answer:
        self.join(patience)
        if self.answer is None:
            raise HarnessError(f"{self.url}: no answer: {self.problem or 'still waiting'}")
        return self.answer


def read_records(file: Path) -> list[dict]:
    """The lines that `neutrino-load mixed` wrote; a last one that was cut off is left out."""
    records = []
    for line in file.read_text().splitlines():
        with contextlib.suppress(ValueError):
            records.append(json.loads(line))
    return records
