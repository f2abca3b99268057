"""Line 4 of issue 6: manifests that Kubernetes takes, rendered as committed, and a ConfigMap that a running gateway reads again."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

from cluster import Cluster
from harness import programs
from harness.processes import wait_for
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
    config_map(run)


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
