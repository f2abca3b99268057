"""Line 4 of issue 6: manifests that Kubernetes takes, rendered as committed, and a ConfigMap that a running gateway reads again."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from cluster import Call, Cluster, document, get_json, operation, start_pod
from harness import programs
from harness.processes import fetch, free_ports, wait_for, wait_until_listening
from registry import Run, check

ROOT = programs.REPOSITORY


@check("6.4", "manifests against the schemas of Kubernetes and their rendering; a ConfigMap that changes")
def manifests(run: Run) -> None:
    command = [str(ROOT / ".venv/bin/python"), str(ROOT / "Tests/Deploy/manifests.py")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout)
    checked = f"{found['resources']} resources, Kubernetes {found['versions'][0]}–{found['versions'][-1]}"
    run.show("objections of kubernetes-validate (strict), and among themselves", "none", found["objections"] or f"none ({checked})", not found["objections"])
    rendered = subprocess.run([str(ROOT / "Scripts/render-manifests"), "--check"], capture_output=True, text=True, timeout=300)
    how = "the same" if rendered.returncode == 0 else rendered.stdout + rendered.stderr
    run.show(f"the committed rendering ({'kustomize' if 'kustomize' in rendered.stderr else 'by sums'})", "the same", how, rendered.returncode == 0)
    for sidecar in found["sidecars"]:
        task_pod(run, sidecar)
    config_map(run)
    from_zero(run)
    prometheus(run)


def task_pod(run: Run, sidecar: dict) -> None:
    """`neutrino-pod` with the arguments, the variables and the document of an overlay, before a server that is there."""
    [behind, port] = free_ports(2)
    server = run.session.start("server", [programs.release_binary("neutrino-pod"), "--simulate", "--host", "127.0.0.1", "--port", behind])
    wait_until_listening(server, behind)
    document = run.session.subfolder(f"{sidecar['overlay']}-{sidecar['name']}") / "openapi.yaml"
    document.write_text(sidecar["openapi"])
    own = {"--port": port, "--upstream": f"http://127.0.0.1:{behind}", "--openapi": document}
    arguments = [f"{name}={own.get(name, value)}" for name, _, value in (each.partition("=") for each in sidecar["args"])]
    process = run.session.start("sidecar", [programs.release_binary("neutrino-pod"), *arguments], {**sidecar["environment"], "NEUTRINO_POD_HOST": "127.0.0.1"})
    wait_until_listening(process, port)
    wait_for("the sidecar is ready", lambda: fetch(f"http://127.0.0.1:{port}/health")[0] == 200, 10)
    total = get_json(f"http://127.0.0.1:{port}/capacity")["total"]
    run.equal(f"{sidecar['overlay']}: what {sidecar['name']} says it has", {key: sidecar[key] for key in ("cpus", "gpus", "memory_gb")}, total)
    status, _, _ = fetch(f"http://127.0.0.1:{port}/v1/generate", "POST", b"{}")
    run.equal(f"{sidecar['overlay']}: {sidecar['name']} and a GPU request past the gateway", 200 if sidecar["gpus"] else 503, status)
    for each in (process, server):
        each.stop()


def from_zero(run: Run) -> None:
    """No pod at all: what waits can be seen by what scales, and is held until a pod has come."""
    folder = run.session.subfolder("from-zero")
    described, configuration = folder / "openapi.json", folder / "gateway.yaml"
    described.write_text(json.dumps(document(gpu=operation(gpus=1))))
    configuration.write_text("static_backends: []\n")
    settings = {"OPENAPI_SPEC_PATH": described, "STATIC_BACKENDS": None, "HOLD_TIMEOUT": 1, "HOLD_TIMEOUT_NO_PODS": 30}
    gateway = programs.gateway(run.session, [], name="from-zero", settings=settings, arguments=["--config", configuration])
    call = Call(f"{gateway.url}/gpu?ms=1")

    def demand() -> str:
        text = fetch(f"http://127.0.0.1:{gateway.admin}/metrics")[2].decode()
        return next((line.split()[-1] for line in text.splitlines() if line.startswith('neutrino_demand{resource="gpus"}')), "none")

    wait_for("it waits", lambda: demand() not in ("none", "0"), 5)
    run.equal("without any pod: neutrino_demand of GPUs, of one request that waits", 1.0, float(demand()))
    time.sleep(3)
    pod = start_pod(run.session, "first", 8, 1, 32)
    configuration.write_text(f"static_backends: [{pod.url}]\n")
    answer = call.result()
    run.show("it is answered when the first pod has come, after HOLD_TIMEOUT", "200", f"{answer.status} after {answer.took:.1f} s", answer.status == 200 and answer.took > 3)
    wait_for("nothing is asked for", lambda: demand() in ("none", "0", "0.0"), 5)
    run.show("and then neutrino_demand is", "0", demand(), True)


def prometheus(run: Run) -> None:
    """compose's, with the rules where they are here."""
    text = (ROOT / "deploy/compose/prometheus.yaml").read_text().replace("/etc/prometheus/alerts.yaml", str(ROOT / "deploy/prometheus/alerts.yaml"))
    file = run.session.folder / "prometheus.yaml"
    file.write_text(text)
    done = subprocess.run([str(ROOT / "Scripts/promtool"), "check", "config", str(file)], capture_output=True, text=True, timeout=120)
    run.equal("what promtool says against compose's configuration", "nothing", "nothing" if done.returncode == 0 else done.stdout + done.stderr)


class Mount:
    """A ConfigMap's volume as the kubelet writes it: files are links into a folder that one link names, and that link is replaced."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.version = 0

    def write(self, name: str, text: str) -> Path:
        self.version += 1
        data = self.folder / f"..{self.version}"
        data.mkdir()
        (data / name).write_text(text)
        (self.folder / "..data_tmp").symlink_to(data.name)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")
        if not (self.folder / name).is_symlink():
            (self.folder / name).symlink_to(f"..data/{name}")
        return self.folder / name


def config_map(run: Run) -> None:
    mount = Mount(run.session.subfolder("config-map"))
    text = "routes:\n  - method: POST\n    path: /gpu\n    hold_timeout: {}\n"

    class Mounted(Cluster):
        def write_configuration(self) -> None:
            pods = "static_backends:\n" + "".join(f"  - {pod.url}\n" for pod in self.pods)
            self.configuration = mount.write("config.yaml", pods + text.format(11))

    cluster = Mounted(run.session)
    pods = (mount.folder / "config.yaml").read_text().split("routes:")[0]

    def hold() -> float:
        return next(route["hold_timeout"] for route in cluster.admin("/routes")[1]["routes"] if route["id"] == "POST /gpu")

    run.equal("hold timeout of a route in the ConfigMap", 11, hold())
    mount.write("config.yaml", pods + text.format(12))
    since = time.monotonic()
    wait_for("the change is read", lambda: hold() == 12, 10)
    run.within("its change is in force, without a signal, after", time.monotonic() - since, 3, " s")
    mount.write("config.yaml", pods + "routes: [{path: 7}]\n")
    time.sleep(2.5)
    run.equal("one that cannot be read changes nothing", 12, hold())
