"""The pods of the soak, as processes, and what goes wrong with them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from harness.processes import Process, Session, fetch, free_ports, wait_until_listening

HERE = Path(__file__).resolve().parent
#: Each pod's CPUs; the first ones have GPUs too.
CPUS, GPUS, WITH_GPUS = 40, 12, 6
#: Pods that may be in trouble at once: with three attempts, one of them meets a pod that is well.
AT_ONCE = 2
#: After a fault it may take so long until a pod is used again: a poll, and the rest that the breaker gives it.
RECOVERY = 15.0


@dataclass
class Fault:
    pod: str
    kind: str
    begin: float
    end: float = 0


class SoakPod:
    def __init__(self, session: Session, index: int):
        self.session = session
        self.name = f"p{index}"
        self.port = free_ports(1)[0]
        self.gpus = GPUS if index < WITH_GPUS else 0
        self.account = session.folder / f"{self.name}.account"
        self.process: Process | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, HERE / "pod.py", self.name, self.port, CPUS, self.gpus, self.account]
        self.process = self.session.start(self.name, command)
        wait_until_listening(self.process, self.port)

    def kill(self) -> None:
        self.process.kill()
        # Its end is known: nothing is left to stop.
        self.session.processes.remove(self.process)
        self.process.log.unlink(missing_ok=True)

    def set_mode(self, mode: str) -> None:
        fetch(self.url + "/_mode", "POST", mode.encode(), patience=5)


class Faults:
    """Lets pods die, hang, lie, reset and hang on /capacity alone, at random, and come back."""

    KINDS = ("dies", "hangs", "lying", "resetting", "slow-capacity")

    def __init__(self, pods: list[SoakPod], seed: int):
        self.pods = pods
        self.chance = random.Random(seed)
        self.history: list[Fault] = []
        self.troubled: set[str] = set()
        self.is_stopped = asyncio.Event()

    async def run(self) -> None:
        """A fault every few seconds, and all well again at the end."""
        async with asyncio.TaskGroup() as group:
            while not await self.pause(self.chance.uniform(1, 6)):
                well = [pod for pod in self.pods if pod.name not in self.troubled]
                if len(self.troubled) >= AT_ONCE:
                    continue
                pod = self.chance.choice(well)
                self.troubled.add(pod.name)
                group.create_task(self.trouble(pod, self.chance.choice(self.KINDS), self.chance.uniform(1, 10)))

    async def pause(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.is_stopped.wait(), seconds)
        return self.is_stopped.is_set()

    async def trouble(self, pod: SoakPod, kind: str, seconds: float) -> None:
        fault = Fault(pod.name, kind, time.time())
        self.history.append(fault)
        if kind == "dies":
            pod.kill()
        elif kind == "hangs":
            pod.process.signal(signal.SIGSTOP)
        else:
            await asyncio.to_thread(pod.set_mode, kind)
        await self.pause(seconds)
        if kind == "dies":
            await asyncio.to_thread(pod.start)
        elif kind == "hangs":
            pod.process.signal(signal.SIGCONT)
        else:
            await asyncio.to_thread(pod.set_mode, "well")
        fault.end = time.time()
        self.troubled.discard(pod.name)
