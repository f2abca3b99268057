"""Reads a Dockerfile into its stages."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    name: str
    base: str
    #: Instruction and what follows it, lines joined.
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.steps if name == instruction]

    def last(self, instruction: str) -> str:
        return self.all(instruction)[-1]

    @property
    def health_check(self) -> list[str]:
        """Its command, as a list."""
        return json.loads(self.last("HEALTHCHECK").partition("CMD ")[2])


def stages(file: Path) -> dict[str, Stage]:
    lines = [line for line in file.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: dict[str, Stage] = {}
    stage = Stage("", "")
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            base, alias = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()
            stage = found[alias] = Stage(alias, base)
        else:
            stage.steps.append((name, " ".join(rest.split())))
    return found
