"""Six real pods, one or two gateways over them, and the balancer in front of two: what rolling updates are tried on."""

from __future__ import annotations

from pathlib import Path

from cluster import Database, get_json
from harness import programs
from harness.processes import Session, fetch, free_ports, wait_for, wait_until_listening
from harness.programs import Server
from server_pod import ServerPod, start_server_pod

#: GPUs of each of the six.
GPUS = [1, 1, 0, 0, 0, 0]

HAPROXY = """
global
    maxconn 4096
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    # Another server, where one does not take the connection: nothing has been sent then.
    retries 2
    option redispatch 1
frontend clients
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    balance roundrobin
    option httpchk GET /ready
    default-server inter 500ms fall 1 rise 1
{servers}
"""


class Fleet:
    """Pods and the files that tell gateways of them: a configuration with `static_backends`, which is re-read when it is written."""

    def __init__(self, session: Session, cpus: float = 8):
        self.session = session
        self.cpus = cpus
        self.document = session.folder / "openapi.json"
        self.configuration = session.folder / "gateway.yaml"
        self.pods: list[ServerPod] = []
        #: Every pod that ever was, by its address.
        self.known: dict[str, ServerPod] = {}
        for number, gpus in enumerate(GPUS):
            self.pods.append(self.start_pod(f"pod-{number}", gpus))
        for pod in self.pods:
            pod.wait_until_ready()
        self.write()

    def start_pod(self, name: str, gpus: float) -> ServerPod:
        pod = start_server_pod(self.session, name, gpus, self.document, cpus=self.cpus)
        self.known[pod.url] = pod
        return pod

    def write(self) -> None:
        text = "static_backends:\n" + "".join(f"  - {pod.url}\n" for pod in self.pods)
        temporary = self.configuration.with_suffix(".new")
        temporary.write_text(text)
        temporary.rename(self.configuration)

    def replace(self, old: ServerPod, pre_stop: float) -> None:
        """As a Deployment with maxSurge 1 and maxUnavailable 0 does: a new one is ready, then the old one is marked for deletion, which
        gateways see, and ended."""
        new = self.start_pod(old.name, old.gpus)
        new.wait_until_ready()
        self.pods[self.pods.index(old)] = new
        self.write()
        old.end(pre_stop)


class Gateway:
    """One of the replicas: a database and ports of its own, which it has again after a restart."""

    def __init__(self, fleet: Fleet, number: int, settings: dict | None = None):
        self.fleet = fleet
        self.number = number
        self.ports = tuple(free_ports(2))
        self.database = fleet.session.subfolder(f"gateway-{number}") / "neutrino.db"
        self.settings = {"OPENAPI_SPEC_PATH": fleet.document, "STATIC_BACKENDS": None, "NODE_ID": number, **(settings or {})}
        self.start()

    def start(self) -> None:
        self.server: Server = programs.gateway(
            self.fleet.session,
            [],
            name=f"gateway-{self.number}",
            settings=self.settings,
            arguments=["--config", self.fleet.configuration],
            ports=self.ports,
            database=self.database,
        )

    def pods(self) -> list[dict]:
        return get_json(f"http://127.0.0.1:{self.server.admin}/admin/api/pods")["pods"]

    def wait_for_pods(self) -> None:
        wait_for("every pod is sampled", lambda: sum(bool(pod.get("available")) for pod in self.pods()) >= len(self.fleet.pods), 15)

    @property
    def is_ready(self) -> bool:
        return fetch(self.server.url + "/ready", patience=2)[0] == 200

    def rows(self) -> Database:
        return Database(self.database)

    def wait_until_settled(self) -> None:
        def is_settled() -> bool:
            with self.rows() as database:
                return database.value("SELECT count(*) FROM requests r LEFT JOIN outcomes o ON o.request = r.id WHERE o.request IS NULL") == 0

        wait_for("every row has its outcome", is_settled, 10)


def haproxy(session: Session, gateways: list[Gateway]) -> Server:
    """A balancer that asks `/ready`."""
    [port] = free_ports(1)
    servers = "\n".join(f"    server g{each.number} 127.0.0.1:{each.ports[0]} check" for each in gateways)
    file: Path = session.subfolder("haproxy") / "haproxy.cfg"
    file.write_text(HAPROXY.format(port=port, servers=servers))
    process = session.start("haproxy", [programs.require("haproxy"), "-db", "-f", file])
    wait_until_listening(process, port)
    return Server(process, port)
