#!/usr/bin/env python3
"""Drives a live gateway from its own document, /admin/api/openapi.json, with schemathesis.

Whatever the gateway answers must be documented and look as it is documented, what the document forbids must be refused, and nothing may
be a server error; without a token, and with one. Ends with 1 where that is not so, and prints what schemathesis found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
#: Not called: /events never ends by itself (it has tests of its own).
NEVER_ENDING = ["/admin/api/events"]
#: Not checked: a cancelled request stays in the log; wrong tokens would lock the address out.
NOT_MEANT = ["use_after_free", "ignored_auth"]
TOKEN = "schemathesis-0123456789abcdef"
#: Not called with a token: what it makes up is one wrong token after the other.
LOGIN = "/admin/login"
#: Calls that tell a wrong token from none, each asked once: five would lock the address out.
WITH_A_WRONG_TOKEN = [("GET", "/admin/api/session"), ("POST", "/admin/logout"), ("GET", "/admin/api/queue")]


class Failure(Exception):
    """The gateway did not come up, or schemathesis did not run."""


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def gateway(binary: Path, folder: Path, token: str | None):
    """A demo, pods and all, on free ports. Gives the ports of clients and of operators."""
    port, admin = free_ports(2)
    command = [binary, "demo", "--gateway-port", str(port), "--admin-port", str(admin), "--database-path", folder / "demo.db"]
    with (folder / "gateway.log").open("wb") as log:
        environment = os.environ | ({"ADMIN_TOKEN": token} if token else {})
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
        try:
            asked = Admin(admin, token)
            wait_for(lambda: process.poll() is None and asked.is_ready(), process, folder)
            yield port, asked
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failure("the gateway did not end within 15 s of SIGTERM")


def wait_for(condition, process: subprocess.Popen, folder: Path, patience: float = 20) -> None:
    end = time.monotonic() + patience
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            raise Failure(f"the gateway did not come up:\n{(folder / 'gateway.log').read_text()[-2000:]}")
        time.sleep(0.05)


class Admin:
    """The operators' listener, and the token that it asks for."""

    def __init__(self, port: int, token: str | None):
        self.port = port
        self.fields = {"Authorization": f"Bearer {token}"} if token else {}

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            return len([pod for pod in self.ask("GET", "/admin/api/pods")["pods"] if pod.get("available")]) == 3
        return False

    def ask(self, method: str, path: str, body: bytes | None = None) -> dict:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, self.fields, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def status(self, method: str, path: str, token: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {token}"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as refusal:
            return refusal.code


def wrong_tokens(admin: Admin) -> str:
    """What the document does not know of how a wrong token is answered."""
    paths = admin.ask("GET", "/admin/api/openapi.json")["paths"]
    answers = [(method, path, admin.status(method, path, "wrong")) for method, path in WITH_A_WRONG_TOKEN]
    unknown = [answer for answer in answers if answer[2] != 401 or "401" not in paths[answer[1]][answer[0].lower()]["responses"]]
    return "".join(f"{method} {path} with a wrong token: {status}, which is not documented\n" for method, path, status in unknown)


def fill(port: int, admin: Admin) -> dict[str, list[str]]:
    """Requests of several fates, so that there is something to be told of. Returns the ids of what there is."""
    for path in ["/v1/preprocess?ms=1", "/v1/train?ms=1", "/v1/infer/a?ms=1&status=500", "/v1/nowhere", "/v1/train/large?ms=500"] * 5:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", b"{}", {"Prefer": "wait=0", "Authorization": "Bearer secret"})
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=10):
            pass
    admin.ask("POST", "/admin/api/replays", b'{"filter": {"state": ["expired"]}, "confirm": true}')
    return {
        "replays": [replay["id"] for replay in admin.ask("GET", "/admin/api/replays")["replays"]],
        "requests": [request["id"] for request in admin.ask("GET", "/admin/api/requests?limit=500")["requests"]],
        "pods": [pod["id"] for pod in admin.ask("GET", "/admin/api/pods")["pods"]],
        "routes": [route["id"] for route in admin.ask("GET", "/admin/api/routes")["routes"]],
    }


def schemathesis(admin: Admin, subjects: dict[str, list[str]], folder: Path, options: argparse.Namespace) -> tuple[int, str]:
    """Runs it. Returns its exit code and what it printed."""
    command = [options.python, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{admin.port}/admin/api/openapi.json"]
    command += ["--checks", "all", "--exclude-checks", ",".join(NOT_MEANT), "--phases", "examples,coverage,fuzzing"]
    command += [argument for path in NEVER_ENDING + [LOGIN] * bool(admin.fields) for argument in ("--exclude-path", path)]
    command += ["--max-examples", str(options.examples), "--seed", str(options.seed), "--request-timeout", "10", "--no-color"]
    command += ["--continue-on-failure", "--suppress-health-check", "all", "--generation-deterministic"]
    command += [argument for field in admin.fields.items() for argument in ("--header", ": ".join(field))]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE), "NEUTRINO_SUBJECTS": json.dumps(subjects)}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=options.patience)
    except subprocess.TimeoutExpired:
        raise Failure(f"schemathesis took longer than {options.patience} s")
    return done.returncode, done.stdout + done.stderr


def run(options: argparse.Namespace) -> tuple[int, str]:
    """Without a token, then with one: what it changes is less than what it does not, so a third of the cases will do."""
    outputs, worst = [], 0
    for token, examples in [(None, options.examples), (TOKEN, max(1, options.examples // 3))]:
        those = argparse.Namespace(**vars(options) | {"examples": examples})
        with tempfile.TemporaryDirectory() as folder, gateway(options.binary, Path(folder), token) as (port, admin):
            unknown = wrong_tokens(admin) if token else ""
            code, output = schemathesis(admin, fill(port, admin), Path(folder), those)
        outputs.append(output + unknown)
        worst = max(worst, code, 1 if unknown else 0)
    return worst, "\n".join(outputs)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=lambda path: Path(path).resolve(), default=REPOSITORY / ".build/debug/neutrino-gateway")
    parser.add_argument("--python", default=sys.executable, help="one that has schemathesis")
    parser.add_argument("--examples", type=int, default=30, help="cases of each call, at most")
    parser.add_argument("--seed", type=int, default=1, help="the same cases each time")
    parser.add_argument("--patience", type=float, default=120, help="seconds that schemathesis may take")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        code, output = run(parse())
    except Failure as problem:
        sys.exit(f"schemathesis: {problem}")
    print(output if code else "\n".join(output.splitlines()[-12:]))
    sys.exit(code)
