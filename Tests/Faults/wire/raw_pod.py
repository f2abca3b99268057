"""A pod of raw bytes that does what a test says, and a gateway before some of them; all over real sockets."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import threading
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

TESTS = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TESTS / "Verify"), str(TESTS / "Benchmarks")]
os.environ.setdefault("NEUTRINO_BIN", str(TESTS.parent / ".build/debug"))

from cluster import Database, get_json, start_pod  # noqa: E402, F401
from harness import programs  # noqa: E402
from harness.processes import Session, fetch, wait_for  # noqa: E402, F401

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
#: In seconds: nothing in these tests takes so long.
PATIENCE = 30


@dataclass
class Request:
    """What a pod was sent, and on which connection."""

    head: bytes
    body: bytes
    connection: socket.socket
    #: Counts the requests of this connection from 0, polls among them.
    index: int

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    def answer(self, body: bytes = b"ok", status: str = "200 OK", fields: str = "") -> None:
        self.connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body)

    def reset(self) -> None:
        """Ends the connection as a process that was killed does, with unread bytes in its socket."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def waits_for_end(self) -> bool:
        """Waits until the other side closes; false where it sends something instead, or nothing."""
        self.connection.settimeout(PATIENCE)
        try:
            return self.connection.recv(1) == b""
        except ConnectionError:
            return True
        except OSError:
            return False


def read_request(connection: socket.socket, data: bytes, index: int) -> tuple[Request, bytes] | None:
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, data = data.split(b"\r\n\r\n", 1)
    found = LENGTH.search(head)
    length = int(found[1]) if found else 0
    while len(data) < length:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    return Request(head, data[:length], connection, index), data[length:]


class RawPod:
    """`behave` is called with each request but polls, on its connection's thread; what it raises ends the connection."""

    def __init__(self, behave: Callable[[Request], None] = Request.answer, cpus: float = 100, capacity: Callable[[Request], None] | None = None):
        self.behave = behave
        self.cpus = cpus
        self.capacity = capacity or self.tell
        self.requests: list[Request] = []
        self.polls = 0
        self.connections: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tell(self, request: Request) -> None:
        total = {"cpus": self.cpus, "gpus": 0, "memory_gb": 1000}
        body = {"available_cpus": self.cpus, "available_gpus": 0, "available_memory_gb": 1000, "total": total}
        request.answer(json.dumps(body).encode())

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        data, index = b"", 0
        try:
            while taken := read_request(connection, data, index):
                request, data = taken
                index += 1
                if request.path == "/capacity":
                    self.polls += 1
                    self.capacity(request)
                else:
                    self.requests.append(request)
                    self.behave(request)
                if connection.fileno() < 0:
                    return
        except OSError:
            pass
        finally:
            connection.close()

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def stop(self) -> None:
        """As the end of its process: nobody listens, and its connections are gone."""
        # Wakes the thread that accepts; closing alone would leave the port open until the next connection.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.close()


class FaultCase(unittest.TestCase):
    """Tests with a gateway before pods of their own."""

    #: Of every gateway here: what is waited for comes soon.
    SETTINGS = {
        "CAPACITY_UPDATE_INTERVAL": 0.2,
        "CAPACITY_TIMEOUT": 0.5,
        "HOLD_TIMEOUT": 5,
        "REQUEST_TIMEOUT": 1,
        "STREAM_IDLE_TIMEOUT": 1,
        "LOG_LEVEL": "error",
        # Turn by turn, so that each pod gets its share.
        "PLACEMENT": "round_robin",
        "STATIC_BACKENDS": None,
    }

    def setUp(self) -> None:
        self.session = Session()
        self.session.__enter__()
        self.addCleanup(self.session.__exit__)

    def start(self, *pods: RawPod, routes: str = "", **settings: object) -> programs.Server:
        """A gateway that has sampled all pods."""
        self.pods = list(pods)
        for pod in pods:
            if isinstance(pod, RawPod):
                self.addCleanup(_quietly, pod.stop)
        self.configuration = self.session.folder / "gateway.yaml"
        self.routes = routes
        self.write_backends(pods)
        self.database = self.session.subfolder(f"gateway-{len(self.session.processes)}") / "neutrino.db"
        self.gateway = programs.gateway(
            self.session,
            [],
            settings={**self.SETTINGS, **settings},
            arguments=["--config", self.configuration],
            database=self.database,
        )
        wait_for("the pods are sampled", lambda: all(pod.get("available") for pod in self.pod_states().values()), PATIENCE)
        return self.gateway

    def write_backends(self, pods) -> None:
        self.configuration.write_text("static_backends:\n" + "".join(f"  - {pod.url}\n" for pod in pods) + self.routes)

    def pod_states(self) -> dict[str, dict]:
        """What the gateway says of each pod, by its URL."""
        told = get_json(f"http://127.0.0.1:{self.gateway.admin}/admin/api/pods")["pods"]
        return {pod["id"]: pod for pod in told}

    def ask(self, path: str = "/", method: str = "GET", body: bytes | None = None, patience: float = PATIENCE):
        """(status, headers, body) of one request."""
        return fetch(self.gateway.url + path, method, body, patience=patience)

    def rows(self, count: int) -> list:
        """The rows of the log, once there are so many and all have ended."""

        def ended() -> list | None:
            with Database(self.database) as database:
                rows = database.all("SELECT * FROM request_log ORDER BY id")
            return rows if len(rows) >= count and all(row["state"] not in ("queued", "dispatched") for row in rows) else None

        return wait_for(f"{count} rows have ended", ended, PATIENCE)


def _quietly(action: Callable[[], None]) -> None:
    try:
        action()
    except OSError:
        pass


class RawClient:
    """A client of raw bytes."""

    def __init__(self, gateway: programs.Server, data: bytes = b"", receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer:
            # Before the connect: the window is agreed on with it.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", gateway.port))
        self.socket.settimeout(PATIENCE)
        self.data = b""
        if data:
            self.send(data)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def close(self) -> None:
        self.socket.close()

    def receive(self, until: bytes) -> bytes:
        """What comes, until some bytes are there or the connection ends."""
        while until not in self.data:
            more = self.socket.recv(65536)
            if not more:
                break
            self.data += more
        return self.data

    def receive_all(self) -> tuple[bytes, bool]:
        """Everything until the end, and whether that was a reset."""
        try:
            while more := self.socket.recv(65536):
                self.data += more
        except ConnectionError:
            return self.data, True
        return self.data, False
