#!/usr/bin/env python3
"""Runs every line of the issues' "It shows" on a release build, and prints each bar beside its figure.

Ends with 1 when a bar was missed. The same rows go to bench-results/ as JSON. Everything runs on loopback and ends with the run.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import pkgutil
import sys
import textwrap
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Benchmarks")]

import checks  # noqa: E402
from harness import load, programs  # noqa: E402
from harness.processes import HarnessError, Session, raise_descriptor_limit  # noqa: E402
from registry import CHECKS, Check, Figure, Run  # noqa: E402


def chosen(options: argparse.Namespace) -> list[Check]:
    """The checks to run, in the order of their lines."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"checks.{module.name}")
    every = sorted(CHECKS.values(), key=lambda check: check.order)
    if not options.only:
        return [check for check in every if options.all or not check.long]
    wanted = options.only.split(",")
    unknown = [line for line in wanted if not any(check.line == line or check.line.startswith(line + ".") for check in every)]
    if unknown:
        raise HarnessError(f"no check for {', '.join(unknown)}; there are {', '.join(check.line for check in every)}")
    return [check for check in every if any(check.line == line or check.line.startswith(line + ".") for line in wanted)]


def run(check: Check, generator: load.LoadGenerator, options: argparse.Namespace) -> list[Figure]:
    """One check. What goes wrong in it is a missed bar of its own, so that the rest still runs."""
    with Session(options.keep) as session:
        run = Run(check.line, session, generator, options)
        try:
            check.run(run)
        except HarnessError as problem:
            run.show("ran to its end", "yes", problem, False)
        except Exception as problem:  # A check that breaks must not hide the others.
            traceback.print_exc()
            run.show("ran to its end", "yes", f"{type(problem).__name__}: {problem}", False)
        if options.logs or not all(figure.passed for figure in run.figures):
            for process in session.processes:
                if tail := process.tail(options.log_lines):
                    print(textwrap.indent(tail, f"    {process.name}| "), file=sys.stderr)
    return run.figures


def short(text: str, length: int = 72) -> str:
    line = text.splitlines()[0] if text else ""
    return line if len(line) <= length and line == text else line[: length - 1] + "…"


def table(figures: list[Figure]) -> str:
    """The rows, and below them in full what was missed and did not fit."""
    rows = [["line", "what", "bar", "figure", ""]]
    for each in figures:
        rows.append([each.line, each.what, each.bar, short(each.figure), "pass" if each.passed else "FAIL"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    for each in figures:
        if not each.passed and short(each.figure) != each.figure:
            lines.append(f"{each.line} {each.what}:\n{textwrap.indent(each.figure, '    ')}")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="LINES", help="for example 2.3,2.5, or 2 for all of issue 2")
    parser.add_argument("--all", action="store_true", help="also the long ones (a build in a bare clone)")
    parser.add_argument("--list", action="store_true", help="only say which checks there are")
    parser.add_argument("--results", type=Path, default=programs.REPOSITORY / "bench-results", help="folder for the JSON")
    parser.add_argument("--keep", action="store_true", help="keep the folders of configurations, databases and logs")
    parser.add_argument("--logs", action="store_true", help="print the programs' last lines also when all went well")
    parser.add_argument("--log-lines", type=int, default=8)
    parser.add_argument("--soak-minutes", type=float, default=2, help="of lines 4.2 and 4.3; 30 for what the issue asks for")
    parser.add_argument("--fuzz-count", type=int, default=500_000, help="inputs of line 4.6; 10000000 for what the issue asks for")
    return parser.parse_args()


def main() -> int:
    options = parse()
    load.require_linux()
    selection = chosen(options)
    if options.list:
        print("\n".join(f"{check.line:5} {check.title}{' (long)' if check.long else ''}" for check in selection))
        return 0
    raise_descriptor_limit()
    generator = load.LoadGenerator(load.build())
    begin = time.time()
    figures: list[Figure] = []
    for check in selection:
        started = time.monotonic()
        print(f"{check.line}: {check.title}", file=sys.stderr, flush=True)
        figures += run(check, generator, options)
        print(f"    {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(table(figures))
    missed = sum(not figure.passed for figure in figures)
    print(f"{len(figures) - missed} of {len(figures)} bars met, {time.time() - begin:.0f} s")
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / f"verify-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(begin))}.json"
    document = {
        "when": begin,
        "took": time.time() - begin,
        "cores": os.cpu_count(),
        "figures": [dataclasses.asdict(figure) for figure in figures],
    }
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False))
    return 1 if missed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except HarnessError as problem:
        sys.exit(f"verify: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
