#!/usr/bin/env python3
"""Requests at a rate for a long time, through pods that die, hang, lie, reset and come back, from clients of which some leave, with a
gateway that is killed now and then; afterwards the accounts of clients, pods and rows are held against each other.

Ends with 1 where something is wrong, or, without kills, memory or descriptors grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Benchmarks")]

from account import Judgement, judge  # noqa: E402
from clients import Clients  # noqa: E402
from faults import RECOVERY, Faults, SoakPod  # noqa: E402
from harness import programs  # noqa: E402
from harness.processes import HarnessError, Session, fetch, free_ports, raise_descriptor_limit, wait_for  # noqa: E402

#: Left out of what is compared: caches and pools are filled first. In seconds.
WARM_UP = 60.0
#: Memory and descriptors may differ by so much between the first and the last sixth of the time.
FLAT = 0.05
SETTINGS = {
    "HOLD_TIMEOUT": 10,
    "REQUEST_TIMEOUT": 3,
    "CAPACITY_UPDATE_INTERVAL": 1,
    "CAPACITY_TIMEOUT": 2,
    "LOG_LEVEL": "warning",
    "MAX_QUEUE_DEPTH": 20_000,
    "DATABASE_MAX_BYTES": "8GiB",
}


@dataclass
class Plan:
    minutes: float = 30
    #: Seconds between kills of the gateway; 0 for none.
    kill_every: float = 120
    rate: float = 500
    pods: int = 10
    seed: int = 1
    faults: bool = True


@dataclass
class Sample:
    at: float
    resident: int
    descriptors: int


@dataclass
class Report:
    judgement: Judgement
    kills: int = 0
    faults: Counter = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    requests: int = 0
    rate: float = 0
    stalls: list[tuple[float, float]] = field(default_factory=list)

    def change(self, value) -> tuple[float, float]:
        """The median of the first and of the last sixth: what a burst leaves for a moment is no growth."""
        part = max(1, len(self.samples) // 6)
        return statistics.median(map(value, self.samples[:part])), statistics.median(map(value, self.samples[-part:]))

    @property
    def memory(self) -> tuple[float, float]:
        return self.change(lambda sample: sample.resident)

    @property
    def descriptors(self) -> tuple[float, float]:
        return self.change(lambda sample: sample.descriptors)


class Soak:
    def __init__(self, session: Session, plan: Plan):
        self.session = session
        self.plan = plan
        self.pods = [SoakPod(session, index) for index in range(plan.pods)]
        self.ports = tuple(free_ports(2))
        self.database = session.subfolder("gateway") / "neutrino.db"
        self.routes = session.folder / "gateway.yaml"
        self.routes.write_text("routes:\n  - path: /gpu\n    needs: {num_gpus: 1}\n  - path: /cpu\n")
        self.lives: list[tuple[float, float]] = []
        self.samples: list[Sample] = []
        self.begun = 0.0
        self.start_gateway()

    def start_gateway(self) -> None:
        self.gateway = programs.gateway(
            self.session,
            [pod.url for pod in self.pods],
            settings=SETTINGS,
            arguments=["--config", self.routes],
            ports=self.ports,
            database=self.database,
        )
        self.begun = time.time()

    def kill_gateway(self) -> None:
        # A request that ends in these moments may have met either.
        self.lives.append((self.begun, time.time() - 0.05))
        self.gateway.process.kill()
        self.session.processes.remove(self.gateway.process)

    async def run(self) -> Report:
        plan = self.plan
        clients = Clients(self.ports[0], plan.rate, plan.seed)
        faults = Faults(self.pods, plan.seed + 1)
        kills = 0
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(clients.run())
            watching = group.create_task(clients.watch())
            troubling = group.create_task(faults.run()) if plan.faults else None
            await asyncio.sleep(WARM_UP if plan.minutes * 60 > 4 * WARM_UP else plan.minutes * 6)
            end = time.monotonic() + plan.minutes * 60
            next_kill = time.monotonic() + plan.kill_every if plan.kill_every else float("inf")
            told = time.monotonic()
            while (now := time.monotonic()) < end:
                if now >= next_kill:
                    next_kill += plan.kill_every
                    kills += 1
                    await asyncio.to_thread(self.kill_gateway)
                    await asyncio.to_thread(self.start_gateway)
                if not self.gateway.process.is_alive:
                    raise HarnessError("the gateway ended by itself:\n" + self.gateway.process.tail(30))
                self.sample()
                if now - told > 60:
                    told = now
                    self.tell(clients)
                await asyncio.sleep(1)
            faults.is_stopped.set()
            if troubling:
                await troubling
            await clients.stop()
            sending.cancel()
            watching.cancel()
        self.lives.append((self.begun, time.time()))
        await asyncio.to_thread(self.settle)
        for record in clients.sent:
            record.left |= any(record.at < end and record.ended > begin for begin, end in clients.stalls)
        judgement = await asyncio.to_thread(
            judge, clients.sent, self.pods, faults.history, self.lives, self.database, RECOVERY
        )
        report = Report(judgement, kills, Counter(fault.kind for fault in faults.history), self.samples, len(clients.sent))
        report.stalls = clients.stalls
        report.rate = len(clients.sent) / (clients.sent[-1].at - clients.sent[0].at)
        return report

    def sample(self) -> None:
        process = self.gateway.process
        try:
            descriptors = len(os.listdir(f"/proc/{process.pid}/fd"))
        except OSError:
            return
        self.samples.append(Sample(time.time(), process.memory(), descriptors))

    def tell(self, clients: Clients) -> None:
        recent = Counter(record.status for record in clients.sent[-30_000:] if record.ended)
        last = self.samples[-1] if self.samples else Sample(0, 0, 0)
        print(
            f"{len(clients.sent)} sent, {len(clients.under_way)} under way, of the last: {dict(recent)},"
            f" {last.resident >> 20} MiB, {last.descriptors} descriptors",
            file=sys.stderr,
            flush=True,
        )

    def settle(self) -> None:
        """The gateway ends in order, so that every row has its end."""
        url = f"http://127.0.0.1:{self.gateway.admin}/admin/api/queue"

        def is_empty() -> bool:
            status, _, body = fetch(url)
            queue = json.loads(body)
            return status == 200 and not queue.get("depth", 0)

        wait_for("nothing waits", is_empty, 30)
        self.gateway.process.stop(40)


def show(report: Report, plan: Plan) -> bool:
    """Prints the report; true where nothing is wrong."""
    print(f"{report.requests} requests, {report.rate:.0f} a second; {report.kills} kills; faults of pods: {dict(report.faults)}")
    if report.stalls:
        print(f"the clients' own process stood still {len(report.stalls)} times, for up to {max(end - begin for begin, end in report.stalls):.1f} s")
    for name, count in sorted(report.judgement.counts.items()):
        print(f"{count:9}  {name}")
    memory, descriptors = report.memory, report.descriptors
    mebibyte = 1 << 20
    print(f"memory: first sixth {memory[0] / mebibyte:.1f} MiB, last {memory[1] / mebibyte:.1f} MiB ({memory[1] / memory[0] - 1:+.1%})")
    minutes = [report.samples[index : index + 60] for index in range(0, len(report.samples), 60)]
    print("memory by the minute, MiB: " + " ".join(f"{statistics.median(each.resident for each in part) / mebibyte:.0f}" for part in minutes))
    print(f"descriptors: first sixth {descriptors[0]:.0f}, last {descriptors[1]:.0f} ({descriptors[1] / descriptors[0] - 1:+.1%})")
    for what, count in report.judgement.wrong.most_common():
        print(f"WRONG {count} times: {what}\n    {report.judgement.examples[what]}")
    is_flat = all(last <= first * (1 + FLAT) for first, last in (memory, descriptors))
    if not plan.kill_every and not is_flat:
        print("WRONG: memory or descriptors grew")
    return not report.judgement.wrong and (is_flat or bool(plan.kill_every))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=Plan.minutes)
    parser.add_argument("--kill-every", type=float, default=Plan.kill_every, help="seconds between kills of the gateway; 0 for none")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="requests a second")
    parser.add_argument("--pods", type=int, default=Plan.pods)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--no-faults", action="store_true", help="pods stay well")
    parser.add_argument("--keep", action="store_true", help="keep the folder of databases, accounts and logs")
    return parser.parse_args()


def main() -> int:
    options = parse()
    raise_descriptor_limit()
    plan = Plan(options.minutes, options.kill_every, options.rate, options.pods, options.seed, not options.no_faults)
    with Session(options.keep) as session:
        return 0 if show(asyncio.run(Soak(session, plan).run()), plan) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"soak: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
