"""Lines 1 to 3 of issue 4: every fault has its test; and load for a long time through faults, with and without kills of the gateway."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from harness import programs
from registry import Run, check

TESTS = Path(__file__).resolve().parents[2]
sys.path.append(str(TESTS / "Soak"))
MEBIBYTE = 1 << 20


@check("4.1", "each fault in docs/reliability.md has its promise and its tests (that they exist and pass: make test)")
def table(run: Run) -> None:
    text = (programs.REPOSITORY / "docs/reliability.md").read_text()
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    rows = {part.split("\n", 1)[0]: sum(line.startswith("| ") for line in part.splitlines()) - 1 for part in sections}
    for name in ("Pods", "Clients", "Disk", "Its own end", "Limits", "Retention", "What it runs as"):
        run.show(f"faults listed under {name}", "> 0", max(0, rows.get(name, 0)), rows.get(name, 0) > 0)


@check("4.2", "load through faults, with a gateway that is killed again and again")
def with_kills(run: Run) -> None:
    minutes = run.options.soak_minutes
    # Every two minutes, or as often in a shorter time that it is killed at all.
    report = soak(run, minutes, min(120, minutes * 60 / 4))
    run.show("kills of the gateway", "> 0", report.kills, report.kills > 0)


@check("4.3", "load through faults, without kills: memory and descriptors stay")
def without_kills(run: Run) -> None:
    report = soak(run, run.options.soak_minutes, 0)
    for name, (first, last), unit in (("memory", report.memory, MEBIBYTE), ("descriptors", report.descriptors, 1)):
        change = last / first - 1
        what = f"{name}, first and last sixth of the time ({first / unit:.1f} and {last / unit:.1f})"
        run.show(what, "≤ +5 %", f"{change:+.1%}", change <= 0.05)


def soak(run: Run, minutes: float, kill_every: float):
    from soak import Plan, Soak

    report = asyncio.run(Soak(run.session, Plan(minutes, kill_every)).run())
    counts, wrong = report.judgement.counts, report.judgement.wrong
    run.show("for the record: minutes, requests, a second", "–", f"{minutes:g}, {report.requests}, {report.rate:.0f}", True)
    run.show("for the record: faults of pods", "–", dict(report.faults), True)
    answered = {name.removeprefix("idempotent: "): count for name, count in counts.items() if name.startswith("idempotent: ")}
    run.show("for the record: answers to idempotent requests whose client and gateway stayed", "–", answered, True)
    if wrong:
        for what, count in wrong.items():
            run.show(what, "0", f"{count}, such as {report.judgement.examples[what]}", False)
    else:
        run.equal("of them neither 200 nor a 503 that was right; disagreements of rows, clients and pods", 0, sum(wrong.values()))
    return report
