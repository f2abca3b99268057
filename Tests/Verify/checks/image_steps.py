"""Line 5 of issue 6, for images, which are not built here: the steps of their last stages in a fresh Debian, and their health checks."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys

from debian_root import DebianRoot
from harness import programs
from harness.processes import fetch, free_ports, wait_for, wait_until_listening
from registry import Run, check

ROOT = programs.REPOSITORY
sys.path.append(str(ROOT / "Tests/Deploy"))
from dockerfile import Stage, stages  # noqa: E402


@check("6.5.2", "the Dockerfile's last stages in a fresh root: their steps, their users, their health checks")
def image_steps(run: Run) -> None:
    every = stages(ROOT / "deploy/Dockerfile")
    root = DebianRoot(run.session.folder / "root")
    for number, step in enumerate(every["runtime"].all("RUN"), 1):
        done = root.run(step, 500)
        run.equal(f"step {number} of the image", 0, done.returncode)
    for name in ("neutrino-gateway", "neutrino-pod"):
        subprocess.run(["strip", "--strip-unneeded", "-o", str(root.folder / "usr/local/bin" / name), str(programs.release_binary(name))], check=True)
    port, admin, backend = free_ports(3)
    pod = start(run, root, every["pod"], ["--simulate", "--host=127.0.0.1", "--cpus=8", "--gpus=1", "--memory-gb=32"], {"NEUTRINO_POD_PORT": backend})
    wait_until_listening(pod, backend)
    settings = {"GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": port, "ADMIN_PORT": admin, "STATIC_BACKENDS": f"http://127.0.0.1:{backend}"}
    gateway = start(run, root, every["gateway"], json.loads(every["gateway"].last("CMD")), settings)
    wait_until_listening(gateway, port)
    wait_for("it is ready", lambda: fetch(f"http://127.0.0.1:{port}/ready")[0] == 200, 10)
    statuses = [fetch(f"http://127.0.0.1:{port}/work?ms=1", "POST", b"{}")[0] for _ in range(20)]
    run.equal("answers of status 200", 20, statuses.count(200))
    database = root.folder / "var/lib/neutrino/neutrino.db"
    run.equal("its database is its user's", 10001, database.stat().st_uid if database.exists() else "not there")
    health = [("gateway", every["gateway"], settings, gateway), ("pod", every["pod"], {"NEUTRINO_POD_PORT": backend}, pod)]
    for name, stage, environment, process in health:
        run.equal(f"health check of the {name}", "healthy", healthy(root, stage, environment))
        process.signal(signal.SIGSTOP)
        run.equal(f"health check of the {name}, stopped", "unhealthy", healthy(root, stage, environment))
        process.signal(signal.SIGCONT)
        process.stop(10)
        run.equal(f"health check of the {name}, ended", "unhealthy", healthy(root, stage, environment))


def start(run: Run, root: DebianRoot, stage: Stage, arguments: list[str], environment: dict):
    """The entry point as the image's user, with its variables and its folder."""
    variables = [pair for line in stage.all("ENV") for pair in line.split()] + [f"{key}={value}" for key, value in environment.items()]
    folder = (stage.all("WORKDIR") or ["/"])[-1]
    command = shlex.join(["env", "-i", "PATH=/usr/local/bin:/usr/bin:/bin", *variables, *json.loads(stage.last("ENTRYPOINT")), *arguments])
    user, group = stage.last("USER").split(":")
    script = f"cd {folder}; exec setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs --bounding-set=-all {command}"
    return run.session.start(stage.name, root.inside(script))


def healthy(root: DebianRoot, stage: Stage, environment: dict) -> str:
    """What Docker would make of the health check, which has 3 s."""
    command = shlex.join(["env", *(f"{key}={value}" for key, value in environment.items()), "timeout", "3", *stage.health_check])
    return "healthy" if root.run(command, 30).returncode == 0 else "unhealthy"
