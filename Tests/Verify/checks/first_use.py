"""Line 1 of issue 2: what somebody who has just cloned the repository sees."""

from __future__ import annotations

import re
import subprocess
import time

from harness import programs
from harness.processes import HarnessError, fetch, wait_until_listening
from registry import Run, check

PATIENCE = 40 * 60
PORTS = (8080, 9090)


@check("2.1", "a bare clone: make run, README's curl examples, make test", long=True)
def first_use(run: Run) -> None:
    for port in PORTS:
        if is_taken(port):
            raise HarnessError(f"port {port} is taken, and the demo needs it")
    clone = run.session.folder / "clone"
    subprocess.run(["git", "clone", "-q", str(programs.REPOSITORY), str(clone)], check=True)

    begin = time.monotonic()
    demo = run.session.start("make-run", ["make", "-C", clone, "run"])
    for port in PORTS:
        wait_until_listening(demo, port, PATIENCE)
    status, _, _ = fetch(f"http://127.0.0.1:{PORTS[0]}/ready")
    run.show("make run ends with the demo serving", "/ready 200", f"{status} after {time.monotonic() - begin:.0f} s", status == 200)
    examples = curl_examples((clone / "README.md").read_text())
    run.show("curl examples in README.md", "≥ 3", len(examples), len(examples) >= 3)
    for example in examples:
        done = subprocess.run(["bash", "-c", example], capture_output=True, text=True, timeout=60)
        statuses = re.findall(r"^HTTP/1.1 (\d+)", done.stdout, re.MULTILINE)
        passed = done.returncode == 0 and bool(done.stdout) and all(status.startswith("2") for status in statuses)
        run.show(example, "answers", (done.stdout or done.stderr or "nothing").splitlines()[0], passed and '"reason":' not in done.stdout)
    demo.stop(15)

    begin = time.monotonic()
    tests = run.session.start("make-test", ["make", "-C", clone, "test"])
    code = tests.popen.wait(PATIENCE)
    run.show("make test passes", "0", f"{code} after {time.monotonic() - begin:.0f} s", code == 0)


def is_taken(port: int) -> bool:
    try:
        fetch(f"http://127.0.0.1:{port}/", patience=1)
        return True
    except OSError:
        return False


def curl_examples(readme: str) -> list[str]:
    """The curl commands in the part that says how to try it, a line each."""
    section = re.search(r"^## Try it$(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    if not section:
        raise HarnessError("README.md has no section 'Try it'")
    lines = section.group(1).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ").strip() for line in lines if line.removeprefix("$ ").startswith("curl ")]
