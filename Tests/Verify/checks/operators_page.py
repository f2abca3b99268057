"""Line 1 of issue 3: an operator with a real browser. The story is in `Tests/Browser`; here it runs on the release build, as a program."""

from __future__ import annotations

import json
import subprocess

from harness import programs
from harness.processes import HarnessError
from registry import Run, check

PYTHON = programs.REPOSITORY / ".venv/bin/python"
BROWSER = programs.REPOSITORY / "Tests/Browser"
PATIENCE = 300


@check("3.1", "the operators' page in Chromium: a request held, let go, opened, replayed")
def operators_page(run: Run) -> None:
    if not PYTHON.exists():
        raise HarnessError(f"{PYTHON} is not there: make setup-test")
    done = subprocess.run([PYTHON, BROWSER / "operator_journey.py"], capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0:
        raise HarnessError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the story ended without a word")
    told = json.loads(done.stdout)
    run.within("page load to its first data", told["figures"]["page load"], 1, " s")
    run.within("a held GPU request shown with its reason", told["figures"]["held request shown"], 1, " s")
    run.show("its route's hold timeout changed in place, it ended, was opened, its <script> stayed text", "yes", "yes", True)
    run.within("its replay seen complete", told["figures"]["replay seen complete"], 10, " s")
    run.equal("complaints of the browser (scripts, Content-Security-Policy)", 0, len(told["complaints"]))
    tests = subprocess.run([PYTHON, "-m", "unittest", "discover", "-s", BROWSER], capture_output=True, text=True, timeout=PATIENCE)
    last = tests.stderr.strip().splitlines()[-1:] or ["nothing"]
    run.show("tests of the page: filters, keyboard alone, states, widths", "OK", last[0], tests.returncode == 0)
