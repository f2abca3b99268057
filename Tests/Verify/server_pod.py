"""Task pods as people have them: FastAPI under uvicorn with `neutrino-pod --upstream` beside it, begun and ended in Kubernetes' order."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

from cluster import get_json
from harness import programs
from harness.processes import HarnessError, Process, Session, fetch, free_ports, wait_for, wait_until_listening

EXAMPLE = programs.REPOSITORY / "deploy/examples/fastapi"


def python() -> Path:
    """The interpreter that has FastAPI and uvicorn."""
    found = programs.REPOSITORY / ".venv/bin/python"
    if not found.exists():
        raise HarnessError(f"{found} is not there: make setup-verify")
    return found


@dataclass
class ServerPod:
    """A server, its sidecar, and where the sidecar listens."""

    name: str
    gpus: float
    port: int
    server_port: int
    server: Process | None = None
    sidecar: Process | None = None
    #: What the sidecar told of itself before it ended.
    last: dict = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def server_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def stats(self) -> dict:
        return get_json(self.url + "/_pod/stats")

    def wait_until_ready(self) -> None:
        """As the kubelet's readiness probe sees it."""
        wait_for(f"{self.name} is ready", lambda: fetch(self.url + "/health")[0] == 200, 30)

    def end(self, pre_stop: float) -> None:
        """As the kubelet ends a pod with a native sidecar: preStop of the server, SIGTERM to it, and once it has ended to the sidecar."""
        threading.Event().wait(pre_stop)
        self.server.signal(signal.SIGTERM)
        self.server.popen.wait(30)
        self.last = self.stats()
        self.sidecar.signal(signal.SIGTERM)
        self.sidecar.popen.wait(30)


def start_server(session: Session, name: str, port: int) -> Process:
    """uvicorn as the example's image runs it, with the time for what runs that the manifests give it."""
    command = [python(), "-m", "uvicorn", "app:app", "--app-dir", EXAMPLE, "--host", "127.0.0.1", "--port", port]
    command += ["--timeout-graceful-shutdown", "20", "--log-level", "warning"]
    return session.start(f"server-{name}", command, {"POD_NAME": name, "PYTHONDONTWRITEBYTECODE": "1"})


def start_sidecar(session: Session, pod: ServerPod, document: Path, cpus: float, memory: float) -> Process:
    command = [programs.release_binary("neutrino-pod"), "--name", pod.name, "--host", "127.0.0.1", "--port", pod.port]
    command += ["--upstream", pod.server_url, "--upstream-ready", "/health", "--openapi", document]
    command += ["--cpus", cpus, "--gpus", pod.gpus, "--memory-gb", memory]
    return session.start(f"sidecar-{pod.name}", command)


def start_server_pod(session: Session, name: str, gpus: float, document: Path, cpus: float = 8, memory: float = 32) -> ServerPod:
    """The sidecar begins first, as native sidecars do; the pod is ready when its server is.

    `document` is the server's own OpenAPI document; the first pod writes it.
    """
    pod = ServerPod(name, gpus, *free_ports(2))
    if not document.exists():
        probe = start_server(session, "document", pod.server_port)
        wait_until_listening(probe, pod.server_port, 30)
        status, _, body = fetch(pod.server_url + "/openapi.json")
        if status != 200:
            raise HarnessError(f"/openapi.json answered {status}")
        document.write_bytes(body)
        probe.stop()
    pod.sidecar = start_sidecar(session, pod, document, cpus, memory)
    pod.server = start_server(session, name, pod.server_port)
    wait_until_listening(pod.sidecar, pod.port)
    return pod
