"""Three accounts of what was done (the clients', the pods' own, the gateway's rows), and whether they agree."""

from __future__ import annotations

import bisect
import sqlite3
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from clients import Sent
from faults import CPUS, Fault, SoakPod

#: MAX_ATTEMPTS.
ATTEMPTS = 3
#: Room has to be there for so long before a 503 that the gateway could know of it: a poll and its way.
KNOWN_AFTER = 3.0


@dataclass
class Judgement:
    """What was counted, and what is wrong: a sentence each, with how often and an example."""

    counts: Counter = field(default_factory=Counter)
    wrong: Counter = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def find(self, what: str, example: object) -> None:
        self.wrong[what] += 1
        self.examples.setdefault(what, str(example))


@dataclass
class Event:
    what: str
    id: str
    at: float
    gpus: float
    cpus: float
    method: str


def read_account(file: Path) -> list[Event]:
    events = []
    if not file.exists():
        return events
    for line in file.read_text().splitlines():
        parts = line.split()
        if len(parts) == 6:
            events.append(Event(parts[0], parts[1], float(parts[2]), float(parts[3]), float(parts[4]), parts[5]))
    return events


class Room:
    """How much of each pod was free, and when, by its own account and the harness's account of its faults."""

    def __init__(self, pods: list[SoakPod], events: dict[str, list[Event]], faults: list[Fault], recovery: float):
        self.pods = pods
        self.recovery = recovery
        self.faults = defaultdict(list)
        for fault in faults:
            self.faults[fault.pod].append(fault)
        #: For each pod the times of its changes and what is used from then on.
        self.used: dict[str, tuple[list[float], list[tuple[float, float]]]] = {}
        for pod in pods:
            self.used[pod.name] = self.usage(events[pod.name], [fault.begin for fault in self.faults[pod.name] if fault.kind == "dies"])

    @staticmethod
    def usage(events: list[Event], deaths: list[float]) -> tuple[list[float], list[tuple[float, float]]]:
        changes = [(event.at, 1 if event.what == "S" else -1, event.cpus, event.gpus) for event in events if event.what in "SFL"]
        times, values, cpus, gpus = [], [], 0.0, 0.0
        deaths = sorted(deaths)
        for at, sign, need_cpus, need_gpus in sorted(changes):
            # What a pod that died had is free again.
            while deaths and deaths[0] <= at:
                deaths.pop(0)
                cpus = gpus = 0.0
            cpus, gpus = max(0.0, cpus + sign * need_cpus), max(0.0, gpus + sign * need_gpus)
            times.append(at)
            values.append((cpus, gpus))
        return times, values

    def has(self, gpus: int, begin: float, end: float) -> str | None:
        """The pod that had room for a request all the time and was well all the time, and for a while before."""
        for pod in self.pods:
            if pod.gpus < gpus or any(fault.begin < end and (fault.end or end) + self.recovery > begin for fault in self.faults[pod.name]):
                continue
            times, values = self.used[pod.name]
            first = max(0, bisect.bisect_right(times, begin) - 1)
            last = bisect.bisect_right(times, end)
            if all(CPUS - cpus >= 1 and pod.gpus - used >= gpus for cpus, used in values[first:last] or [(0, 0)]):
                return pod.name
        return None


def judge(
    sent: list[Sent],
    pods: list[SoakPod],
    faults: list[Fault],
    lives: list[tuple[float, float]],
    database: Path,
    recovery: float,
) -> Judgement:
    """`lives`: from when to when each gateway process served."""
    result = Judgement()
    events = {pod.name: read_account(pod.account) for pod in pods}
    judge_answers(result, sent, Room(pods, events, faults, recovery), lives)
    judge_rows(result, sent, pods, events, database)
    return result


def lived(record: Sent, lives: list[tuple[float, float]]) -> bool:
    """Whether one gateway served from before a request until after its end."""
    return any(begin <= record.at and record.ended <= end for begin, end in lives)


def judge_answers(result: Judgement, sent: list[Sent], room: Room, lives: list[tuple[float, float]]) -> None:
    for record in sent:
        if record.left:
            result.counts["left by their clients"] += 1
            continue
        if not lived(record, lives):
            result.counts["whose gateway was killed"] += 1
            continue
        answer = f"{record.status} {record.reason}".strip() if record.status else record.problem
        result.counts[("idempotent: " if record.is_idempotent else "not idempotent: ") + answer] += 1
        if record.status == 200:
            continue
        if record.status == 503 and record.reason in ("no_capacity", "connect_failed") or record.status == 503 and not record.reason:
            # The gateway's own, or the last busy answer of a pod at the end of the hold.
            if pod := room.has(record.gpus, record.ended - KNOWN_AFTER, record.ended - 0.1):
                result.find("503 though a pod had room", f"{record} {pod}")
        elif record.is_idempotent:
            result.find(f"an idempotent request was answered {answer}", record)
        elif record.status not in (502, 504):
            result.find(f"a request was answered {answer}", record)


def judge_rows(result: Judgement, sent: list[Sent], pods: list[SoakPod], events: dict[str, list[Event]], database: Path) -> None:
    begun = Counter()
    seen: dict[str, str] = {}
    finished: dict[str, str] = {}
    for pod in pods:
        for event in events[pod.name]:
            if event.id == "-":
                result.find("a pod was sent a request without an id", event)
            if event.what in "SX":
                begun[event.id] += 1
                seen[event.id] = event.method
            if event.what == "F":
                finished[event.id] = pod.name
            if event.what == "S" and event.gpus > pod.gpus:
                result.find("a pod was given more GPUs than it has", event)
    for key, times in begun.items():
        if times > (1 if seen[key] == "POST" else ATTEMPTS):
            result.find(f"a {seen[key]} was begun {times} times", key)
    answers = {record.id: record for record in sent if record.id and record.status}
    urls = {pod.url: pod.name for pod in pods}
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    rows = 0
    for key, state, pod, status, dispatched in connection.execute(
        "SELECT l.request_id, l.state, l.pod, l.status, r.pod IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.request = r.id)"
        " FROM request_log l JOIN requests r ON r.id = l.id"
    ):
        rows += 1
        result.counts[f"rows {state}"] += 1
        ran = seen.pop(key, None)
        record = answers.pop(key, None)
        done = finished.pop(key, None)
        if state in ("queued", "dispatched"):
            result.find("a row never ended", key)
        if ran and not dispatched:
            result.find("a pod ran what no row says was dispatched", key)
        if ran and state in ("abandoned", "rejected"):
            result.find(f"a pod ran what its row calls {state}", key)
        if record and record.status == 200:
            if state not in ("completed", "interrupted"):
                # Interrupted: killed before the outcome was written.
                result.find(f"answered 200, and its row says {state}", key)
            if urls.get(pod) != record.pod or state == "completed" and status != 200:
                result.find("answered by one pod, and the row names another, or another status", f"{key} {record.pod} {pod} {status}")
            if not done:
                result.find("answered 200, and no pod says so", key)
        # It may say failed: a hold that ended after an attempt that a pod may have begun.
        if record and record.status == 503 and record.reason and state == "completed":
            result.find(f"answered 503, and its row says {state}", key)
        if state == "completed" and status == 200 and not done:
            result.find("a row says completed, and no pod says so", key)
    result.counts["rows"] = rows
    for key in seen:
        result.find("a pod ran what no row names", key)
    for key, record in answers.items():
        result.find("an answer has no row", f"{key} {record}")
    if (integrity := connection.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        result.find("the database is not whole", integrity)
    connection.close()
