"""Processes that a run starts: each ended by its pid when the run ends, however it ends, and measured through /proc."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class HarnessError(Exception):
    """The run cannot go on; the message says why."""


def die_with_parent() -> None:
    """Runs in the child: it ends when the harness does, even when that is killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def begun(pid: int) -> str:
    """When a process began, in ticks since the machine did; empty when it is gone or only waits to be collected."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""


class Process:
    """One started program and its children."""

    def __init__(self, name: str, popen: subprocess.Popen, log: Path):
        self.name = name
        self.popen = popen
        self.log = log

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def tree(self) -> list[int]:
        """Its pid and those of its descendants."""
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for thread in os.listdir(f"/proc/{pid}/task"):
                    queue += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        return found

    def cpu_seconds(self) -> float:
        """User and system time of the whole tree so far, that of children which have ended included."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                total += sum(map(int, fields[11:15]))
        return total / TICKS

    def memory(self, key: str = "VmRSS") -> int:
        """Bytes in memory of the tree now (`VmRSS`) or at most so far (`VmHWM`)."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith(key + ":"):
                        total += int(line.split()[1]) * 1024
        return total

    def signal(self, number: int) -> None:
        if self.is_alive:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills it and waits until it is gone."""
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, patience: float = 5) -> None:
        """Asks it to end; kills by pid what of it and its descendants has not ended in time."""
        tree = {pid: begun(pid) for pid in self.tree()} if self.is_alive else {}
        self.signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(patience)
        for pid, when in tree.items():
            # The pid may be another's by now; not with the same time of beginning.
            if when and begun(pid) == when:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
        self.popen.wait()

    def tail(self, lines: int = 15) -> str:
        """The end of what it printed."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Session:
    """A temporary folder and the programs that live in it. A context manager: all end with it."""

    def __init__(self, keep: bool = False):
        self.keep = keep
        self.processes: list[Process] = []
        self.folder = Path()

    def __enter__(self) -> "Session":
        self.folder = Path(tempfile.mkdtemp(prefix="neutrino-"))
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.stop()
        if self.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, command: list, environment: dict[str, str] | None = None) -> Process:
        """Starts a program with its output in a file of its own."""
        log = self.folder / f"{name}-{len(self.processes)}.log"
        with open(log, "wb") as output:
            popen = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=self.folder,
                preexec_fn=die_with_parent,
            )
        process = Process(name, popen, log)
        self.processes.append(process)
        return process

    def subfolder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on, all different.

    Below those that the kernel gives to outgoing connections: while a killed server is down, no client may get its port.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first_outgoing = int(file.read().split()[0])
    found: list[int] = []
    for port in random.sample(range(10_000, max(first_outgoing, 12_000)), k=max(1_000, count + count // 2)):
        with socket.socket() as each, contextlib.suppress(OSError):
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise HarnessError("no free ports")


def wait_until_listening(process: Process, port: int, patience: float = 15) -> None:
    """Returns once something accepts connections on a port.

    Raises: HarnessError with the program's output when it ended or took too long.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if not process.is_alive:
            break
        time.sleep(0.02)
    raise HarnessError(f"{process.name} does not listen on {port}:\n{process.tail()}")


def wait_for(what: str, condition, patience: float, pause: float = 0.05):
    """Asks again and again until the condition is true; returns its value. A refused connection counts as not yet.

    Raises: HarnessError when it took too long.
    """
    end = time.monotonic() + patience
    while True:
        with contextlib.suppress(OSError):
            if value := condition():
                return value
        if time.monotonic() > end:
            raise HarnessError(f"{what}: not within {patience} s")
        time.sleep(pause)


def fetch(url: str, method: str = "GET", body: bytes | None = None, headers: dict | None = None, patience: float = 60):
    """One HTTP call. Returns (status, headers, body), whatever the status."""
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=patience) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def raise_descriptor_limit() -> None:
    """Raises the soft bound on open files to the hard one, as a service manager would, for all that is started."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
