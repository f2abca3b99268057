"""API servers for the gateway to find its pods at: kmock, which keeps objects as a cluster does, and a scripted one for what kmock cannot
do: versions, pages, selectors, compaction, silence, tokens."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from harness.processes import fetch

NAMESPACE = "tasks"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


def pod(name: str, port: int, ready: bool = True, ip: str | None = "127.0.0.1", deleted: bool = False, **labels: str) -> dict:
    """A Pod object that runs on a port of this machine."""
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    if ip:
        status["podIP"] = ip
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": "pods", **labels}, "annotations": {"neutrino.dev/port": str(port)}}
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-25T00:00:00Z"
    containers = [{"name": "main", "ports": [{"name": "http", "containerPort": port}]}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": "node-1", "containers": containers}, "status": status}


class KmockServer:
    """kmock's emulator of Kubernetes, on a thread of its own. A context manager."""

    def __enter__(self) -> "KmockServer":
        # Here, so that what else is in this file needs no package.
        import kmock

        started: queue.Queue = queue.Queue()
        self.loop = asyncio.new_event_loop()
        self.stopped = asyncio.Event()
        self.thread = threading.Thread(target=lambda: self.loop.run_until_complete(self.serve(kmock, started)), daemon=True)
        self.thread.start()
        self.url = started.get(timeout=20)
        return self

    async def serve(self, kmock, started: queue.Queue) -> None:
        async with kmock.KubernetesEmulator() as emulator, kmock.Server(emulator) as server:
            emulator.resources["v1/pods"] = {}
            started.put(str(server.url).rstrip("/"))
            await self.stopped.wait()

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.stopped.set)
        self.thread.join(10)

    def add(self, described: dict) -> float:
        return self.change("POST", PODS, described)

    def patch(self, described: dict) -> float:
        return self.change("PATCH", f"{PODS}/{described['metadata']['name']}", described)

    def remove(self, name: str) -> float:
        return self.change("DELETE", f"{PODS}/{name}", None)

    def change(self, method: str, path: str, body: dict | None) -> float:
        """Returns when it was asked for: the change comes no sooner."""
        asked = time.monotonic()
        status, _, answer = fetch(self.url + path, method, json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}, 10)
        if status >= 300:
            raise AssertionError(f"kmock answered {method} {path} with {status}: {answer[:200]!r}")
        return asked


class ScriptedServer:
    """The API server as far as pods go, with the trouble that one can make. A context manager."""

    def __init__(self, port: int):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.lock = threading.Condition()
        self.pods: dict[str, dict] = {}
        self.version = 1
        #: Version, type and object of each change.
        self.history: list[tuple[int, str, dict]] = []
        self.oldest = 0
        self.token: str | None = None
        #: Watches that begin now are taken and get nothing.
        self.silent = False
        #: What ends all watches: each looks whether it is still of this time.
        self.era = 0
        self.requests: list[str] = []
        self.server: ThreadingHTTPServer | None = None

    def __enter__(self) -> "ScriptedServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        handler = type("Handler", (Handler,), {"api": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
        self.end_watches()

    def put(self, described: dict) -> float:
        return self.emit("MODIFIED" if described["metadata"]["name"] in self.pods else "ADDED", described)

    def remove(self, name: str) -> float:
        return self.emit("DELETED", self.pods[name])

    def emit(self, kind: str, described: dict, heard: bool = True) -> float:
        with self.lock:
            self.version += 1
            described["metadata"]["resourceVersion"] = str(self.version)
            name = described["metadata"]["name"]
            matches = described["metadata"]["labels"].get("app") == "pods"
            # What leaves the selection is told as deleted.
            if kind == "DELETED" or not matches:
                kind = "DELETED"
                self.pods.pop(name, None)
            else:
                self.pods[name] = described
            if heard:
                self.history.append((self.version, kind, described))
            self.lock.notify_all()
            return time.monotonic()

    def lists(self) -> int:
        """How often pages of lists were asked for."""
        return sum("watch=true" not in each for each in self.requests)

    def compact(self) -> None:
        with self.lock:
            self.oldest = self.version

    def end_watches(self) -> None:
        with self.lock:
            self.era += 1
            self.lock.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: ScriptedServer

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        api = self.api
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        with api.lock:
            api.requests.append(self.path)
            token, era, silent = api.token, api.era, api.silent
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            return self.whole(401, {"kind": "Status", "message": "Unauthorized", "code": 401})
        if url.path != PODS:
            return self.whole(404, {"kind": "Status", "message": "the server could not find the requested resource", "code": 404})
        if asked.get("watch") == "true":
            return self.watch(int(asked.get("resourceVersion", 0)), float(asked["timeoutSeconds"]), era, silent)
        with api.lock:
            pods = [api.pods[name] for name in sorted(api.pods)]
            start, size = int(asked.get("continue", 0)), int(asked.get("limit", 10_000))
            metadata = {"resourceVersion": str(api.version)}
            if start + size < len(pods):
                metadata["continue"] = str(start + size)
            body = {"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": pods[start : start + size]}
            encoded = json.dumps(body).encode()
        self.whole(200, encoded)

    def whole(self, status: int, body: dict | bytes) -> None:
        encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def watch(self, version: int, seconds: float, era: int, silent: bool) -> None:
        api = self.api
        self.close_connection = True
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end = time.monotonic() + seconds
        try:
            if version < api.oldest:
                status = {"kind": "Status", "message": f"too old resource version: {version}", "reason": "Expired", "code": 410}
                self.chunk({"type": "ERROR", "object": status})
                end = 0
            while time.monotonic() < end or silent:
                with api.lock:
                    news = [] if silent else [change for change in api.history if change[0] > version]
                    if not news and api.era == era:
                        api.lock.wait(min(max(end - time.monotonic(), 0), 1) if not silent else 1)
                    if api.era != era:
                        return
                for version, kind, described in news:
                    self.chunk({"type": kind, "object": described})
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass

    def chunk(self, event: dict) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()
