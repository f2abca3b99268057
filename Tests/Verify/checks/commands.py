"""Line 6 of issue 3: each command that docs/operations.md shows is run, and answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from cluster import Call, Cluster
from harness import programs
from harness.processes import HarnessError, fetch, wait_for
from registry import Run, check

ID = r"\b0[0-9A-Z]{12}\b"
POD = r"http://10\.0\.0\.\d+:8080"
#: What the demo of the document has, and what is here in its place.
STANDINS = {"POST /v1/train": "POST /gpu", "/v1/preprocess": "/cpu"}


@check("3.6", "each command of docs/operations.md, run against a live gateway")
def commands(run: Run) -> None:
    shown = shown_commands()
    run.show("commands shown", "≥ 15", len(shown), len(shown) >= 15)
    missing = [name for name in subcommands() if not any(f"{command} ".startswith(f"neutrino-gateway {name} ") for command, _ in shown)]
    run.equal("commands for operators that are not shown", "none", ", ".join(missing) or "none")

    cluster = Cluster(run.session, settings={"ADMIN_TOKEN": None})
    environment = {
        "PATH": f"{programs.release_binary('neutrino-gateway').parent}:{os.environ['PATH']}",
        "ADMIN_URL": f"http://127.0.0.1:{cluster.gateway.admin}",
    }
    for command, output in shown:
        there = Scene(cluster)
        script = there.adapted(command)
        done = subprocess.run(["bash", "-c", script], env=environment, cwd=cluster.folder, capture_output=True, text=True, timeout=60)
        there.end()
        answered = bool(done.stdout.strip()) and done.returncode == 0
        same, difference = alike(output, done.stdout)
        figure = (done.stdout.splitlines() or [done.stderr.strip()])[0] if answered else f"{done.returncode}: {done.stderr.strip() or 'nothing'}"
        run.show(command, "answers as shown", figure if same else difference, answered and same)


def shown_commands() -> list[tuple[str, list[str]]]:
    """Each `$ neutrino-gateway …` in a block of the document, and the lines below it."""
    text = (programs.REPOSITORY / "docs/operations.md").read_text()
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
    return [(command, output) for command, output in found if command.startswith("neutrino-gateway ")]


def subcommands() -> list[str]:
    """The commands for operators, as the program lists them."""
    program = programs.release_binary("neutrino-gateway")

    def listed(arguments: list[str], heading: str) -> list[str]:
        text = subprocess.run([program, *arguments, "--help"], capture_output=True, text=True, timeout=30).stdout
        section = re.search(rf"^{heading}SUBCOMMANDS:$(.*?)(?:^\S|\Z)", text + "\n", re.MULTILINE | re.DOTALL | re.IGNORECASE)
        return re.findall(r"^  ([a-z]+)", section.group(1), re.MULTILINE) if section else []

    names = []
    for name in listed([], "OPERATE A RUNNING GATEWAY "):
        inner = [each for each in listed([name], "") if each not in ("list",)]
        names += [f"{name} {each}" for each in inner] or [name]
    if not names:
        raise HarnessError("the program lists no commands for operators")
    return names


class Scene:
    """What a command needs to be there: a request that waits behind others, one that failed, a bulk replay that is not over."""

    def __init__(self, cluster: Cluster):
        self.cluster = cluster
        self.calls: list[Call] = []

    def adapted(self, command: str) -> str:
        """The command with ids that exist in place of those of the document."""
        pods = self.cluster.admin("/pods")[1]["pods"]
        command = re.sub(POD, pods[0]["id"], command)
        for name, there in STANDINS.items():
            command = command.replace(name, there)
        words = " ".join(command.split()[1:3])
        if words == "requests cancel":
            return re.sub(ID, self.waiting(), command)
        if "requests" in words:
            failed = self.failed()
            command = re.sub(ID, failed, command)
        if words.startswith("replays") and len(command.split()) > 3:
            verb, job = command.split()[2:4]
            command = command.replace(f" {job}", f" {self.job(paused=verb == 'resume', ends=verb == 'show')}", 1)
        if words.startswith(("queue", "pods")):
            self.waiting()
        for name in re.findall(r"--(?:header-file|body-file) (\S+)", command):
            (self.cluster.folder / Path(name).name).write_text("Authorization: Bearer x\n" if "header" in command else "{}")
        return command

    def waiting(self) -> str:
        if not self.calls:
            self.calls = [Call(f"{self.cluster.gateway.url}/gpu?ms=1500") for _ in range(6)]
        wait_for("requests wait", lambda: self.cluster.admin("/queue")[1]["lines"], 10)
        return self.cluster.admin("/queue")[1]["lines"][0]["first"]

    def failed(self) -> str:
        fetch(f"{self.cluster.gateway.url}/cpu?fail=reset", "POST", b'{"a":1}')
        self.cluster.wait_until_settled()
        return self.cluster.admin("/requests?state=failed&limit=1")[1]["requests"][0]["id"]

    def job(self, paused: bool, ends: bool) -> str:
        for _ in range(3):
            self.failed()
        order = {"filter": {"state": ["failed"]}, "confirm": True, "rate": 100 if ends else 0.1}
        status, job = self.cluster.admin("/replays", "POST", order)
        if status != 202:
            raise HarnessError(f"no bulk replay: {status} {job}")
        if paused:
            self.cluster.admin(f"/replays/{job['id']}/pause", "POST", {})
        return job["id"]

    def end(self) -> None:
        """Nothing is left over for the next command."""
        self.cluster.admin("/resume", "POST", {})
        for call in self.calls:
            call.result()
        for job in self.cluster.admin("/replays")[1]["replays"]:
            if job["state"] in ("running", "paused"):
                self.cluster.admin(f"/replays/{job['id']}", "DELETE")


def alike(shown: list[str], real: str) -> tuple[bool, str]:
    """Whether the titles of a table in the document are those that the program prints; JSON has to be JSON."""
    lines = real.splitlines()
    for line in shown:
        if line.startswith("{"):
            try:
                json.loads(real)
            except ValueError:
                return False, "no JSON"
        if is_titles(line) and not any(is_titles(each) and has_most(each.split(), line.split()) for each in lines):
            return False, f"no table with {line}"
    return True, ""


def is_titles(line: str) -> bool:
    return len(line.split()) > 2 and line == line.upper() and not re.search(r"\d", line)


def has_most(titles: list[str], shown: list[str]) -> bool:
    """Columns without anything in them are left out, so a few may be here or there alone; the first is not one of them."""
    return titles[0] == shown[0] and len(set(shown) - set(titles)) <= 3
