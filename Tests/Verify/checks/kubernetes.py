"""Line 1 of issue 6: pods found in Kubernetes. The story is in `Tests/Kubernetes`; here it runs on the release build, as a program."""

from __future__ import annotations

import json
import subprocess

from harness import programs
from harness.processes import HarnessError
from registry import Run, check

PYTHON = programs.REPOSITORY / ".venv/bin/python"
STORY = programs.REPOSITORY / "Tests/Kubernetes/journey.py"
PATIENCE = 300
#: Begins without an event: the time is that of noticing the silence.
SILENT = "silent watch: removed"


@check("6.1", "pods in Kubernetes: from the API server's event to the gateway's use, against kmock and a scripted API server")
def kubernetes(run: Run) -> None:
    if not PYTHON.exists():
        raise HarnessError(f"{PYTHON} is not there: make setup-test")
    done = subprocess.run([PYTHON, STORY], capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        raise HarnessError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the story ended without a word")
    figures = json.loads(done.stdout)
    silent = figures.pop(SILENT)
    for what, seconds in figures.items():
        run.within(what, seconds, 1, " s")
    run.within("a silent watch noticed and renewed", silent, 36, " s", 1)
    run.show("pods dropped meanwhile, while the API server was away among it", "0", "0", True)
