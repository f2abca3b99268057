"""Runs `neutrino-load` and reads what it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .processes import HarnessError, die_with_parent

PACKAGE = Path(__file__).resolve().parent.parent


def build() -> Path:
    """Builds the load generator where it is not built yet; returns its path."""
    command = ["swift", "build", "-c", "release", "--package-path", str(PACKAGE), "--product", "neutrino-load"]
    built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if built.returncode != 0:
        raise HarnessError(f"the load generator does not build:\n{built.stdout[-4000:]}")
    return PACKAGE / ".build/release/neutrino-load"


class RunningLoad:
    """A load that runs in the background."""

    def __init__(self, popen: subprocess.Popen):
        self.popen = popen

    def read_line(self) -> dict:
        """The next JSON object that it prints."""
        line = self.popen.stdout.readline()
        if not line:
            raise HarnessError(f"the load generator ended early:\n{self.popen.stderr.read()}")
        return json.loads(line)

    def result(self) -> dict:
        """Waits for its end; the last object that it printed."""
        output, errors = self.popen.communicate()
        lines = output.splitlines()
        if self.popen.returncode != 0 or not lines:
            raise HarnessError(f"the load generator failed:\n{errors}")
        return json.loads(lines[-1])

    def stop(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()


class LoadGenerator:
    def __init__(self, binary: Path):
        self.binary = binary

    def start(self, mode: str, port: int, **options) -> RunningLoad:
        """Starts a mode against a loopback port. `options` are its flags; a list repeats one."""
        command = [str(self.binary), mode, f"127.0.0.1:{port}"]
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            for each in value if isinstance(value, list) else [value]:
                command += [flag, str(each)]
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent,
        )
        return RunningLoad(popen)

    def run(self, mode: str, port: int, **options) -> dict:
        """Runs a mode to its end; returns its summary."""
        load = self.start(mode, port, **options)
        try:
            return load.result()
        finally:
            load.stop()


def require_linux() -> None:
    if sys.platform != "linux":
        raise HarnessError("CPU time and memory are read from /proc: Linux is needed")
