"""The registry of checks: each runs one line of an issue's "It shows" and states its figures beside their bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from harness.load import LoadGenerator
from harness.processes import Session


@dataclass
class Figure:
    """One row of the table."""

    line: str
    what: str
    bar: str
    figure: str
    passed: bool


class Run:
    """What a check works with: a session whose programs end with the check, the load generator, and where figures go."""

    def __init__(self, line: str, session: Session, generator: LoadGenerator, options):
        self.line = line
        self.session = session
        self.generator = generator
        self.options = options
        self.figures: list[Figure] = []

    def show(self, what: str, bar: str, figure: object, passed: bool) -> None:
        self.figures.append(Figure(self.line, what, bar, str(figure), bool(passed)))

    def equal(self, what: str, expected: object, figure: object) -> None:
        self.show(what, str(expected), figure, figure == expected)

    def within(self, what: str, figure: float, bar: float, unit: str = "", digits: int = 2, below: bool = True) -> None:
        """A figure that has to stay below a bar, or reach it."""
        passed = figure < bar if below else figure >= bar
        self.show(what, f"{'<' if below else '≥'} {bar:g}{unit}", f"{figure:.{digits}f}{unit}", passed)


@dataclass
class Check:
    line: str
    title: str
    run: Callable[[Run], None]
    #: Left out unless it is asked for by name or with `--all`.
    long: bool = False

    @property
    def order(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.line.split("."))


CHECKS: dict[str, Check] = {}


def check(line: str, title: str, long: bool = False):
    """Registers a function as the check of a line: `@check("2.3", …)` is line 3 of issue 2."""

    def register(function: Callable[[Run], None]) -> Callable[[Run], None]:
        if line in CHECKS:
            raise ValueError(f"two checks of line {line}")
        CHECKS[line] = Check(line, title, function, long)
        return function

    return register
