"""Line 4 of issue 3, its first half: the admin API is what its document says."""

from __future__ import annotations

import re
import subprocess
import sys

from harness import programs
from harness.processes import HarnessError
from registry import Run, check

FOLDER = programs.REPOSITORY / "Tests/Schemathesis"


@check("3.4.1", "schemathesis drives a live gateway from /admin/api/openapi.json")
def admin_document(run: Run) -> None:
    python = programs.REPOSITORY / ".venv/bin/python"
    if not python.exists():
        raise HarnessError("schemathesis is not installed: make setup-test")
    command = [python, FOLDER / "run.py", "--binary", programs.release_binary("neutrino-gateway"), "--examples", "100"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    cases = re.search(r"([\d,]+) generated", done.stdout)
    run.show("cases that schemathesis made", "> 0", cases[1] if cases else "none", bool(cases))
    run.show("server errors, undocumented answers, forbidden input taken", "none", "none" if done.returncode == 0 else done.stdout + done.stderr, done.returncode == 0)
