"""Rounds that alternate between systems, and what may be said of them: ratios taken within a round, then medians and spreads."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from .load import LoadGenerator
from .processes import HarnessError
from .programs import Server

#: A reference whose rounds differ by more (largest less smallest, over the median) says that the machine is not quiet.
MAX_SPREAD = 0.30


@dataclass
class System:
    """Something to measure, and what each round measured. `rounds` of all systems are compared one by one."""

    name: str
    server: Server
    rounds: list[dict] = field(default_factory=list)

    def values(self, key: str) -> list[float]:
        return [each[key] for each in self.rounds]


@dataclass
class Plan:
    """One round: as much as goes through some connections, then a fixed rate."""

    requests: list[str]
    #: Seconds; 0 leaves the part out.
    saturate: float = 6
    open: float = 12
    connections: int = 64
    rate: int = 1000


def alternate(systems: list[System], plan: Plan, generator: LoadGenerator, rounds: int, tell=lambda _: None) -> None:
    """Runs the rounds. Each begins with another system, so that none is always the first after a pause."""
    for number in range(rounds):
        first = number % len(systems)
        for system in systems[first:] + systems[:first]:
            system.rounds.append(measure(system, plan, generator))
        tell(f"round {number + 1} of {rounds}")
    compare(systems)


def measure(system: System, plan: Plan, generator: LoadGenerator) -> dict:
    """One round of one system.

    Raises: HarnessError when a request failed: what fails fast must not look fast.
    """
    process, port = system.server.process, system.server.port
    found: dict = {}
    if plan.saturate:
        options = {"request": plan.requests, "warmup": 0, "connections": plan.connections}
        generator.run("saturate", port, seconds=0.5, **options)
        before = process.cpu_seconds()
        run = checked(system, generator.run("saturate", port, seconds=plan.saturate, **options))
        found["saturated"] = run
        found["requests_per_second"] = run["requestsPerSecond"]
        found["cpu_per_10k"] = (process.cpu_seconds() - before) / run["requests"] * 1e4
    if plan.open:
        before = process.cpu_seconds()
        run = checked(
            system, generator.run("open", port, request=plan.requests, seconds=plan.open, warmup=1, rate=plan.rate)
        )
        found["steady"] = run
        found["cpu_per_10k_steady"] = (process.cpu_seconds() - before) / (run["requests"] + plan.rate) * 1e4
        found |= {key: run["latency"][key] for key in ("p50", "p99", "p999")}
        found["over_20ms"] = run["over20ms"]
    found["rss_mb"] = process.memory() / 1e6
    return found


def checked(system: System, run: dict) -> dict:
    if run["errors"] or set(run["statuses"]) != {"200"}:
        raise HarnessError(f"{system.name} failed requests: {run}\n{system.server.process.tail()}")
    return run


def compare(systems: list[System]) -> None:
    """Adds to each round what it is beside the first system (the direct call) and the second (the reference) in the same round."""
    direct, reference = systems[0], systems[1]
    for system in systems:
        for mine, bare, other in zip(system.rounds, direct.rounds, reference.rounds):
            if "requests_per_second" in mine:
                mine["ratio"] = mine["requests_per_second"] / other["requests_per_second"]
            if "p50" in mine:
                mine["added_p50"] = mine["p50"] - bare["p50"]
                mine["added_p99"] = mine["p99"] - bare["p99"]


def spread(values: list[float]) -> float:
    middle = statistics.median(values)
    return (max(values) - min(values)) / middle if middle else 0


def triple(values: list[float], digits: int = 2) -> str:
    """Smallest, median and largest."""
    return " / ".join(f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))


def unsteady(systems: list[System]) -> str:
    """Which of the direct calls and the reference differ too much between rounds to judge by; empty when none does."""
    spreads = {system.name: spread(system.values("requests_per_second")) for system in systems[:2]}
    return ", ".join(f"{name} by {value:.0%}" for name, value in spreads.items() if value > MAX_SPREAD)
