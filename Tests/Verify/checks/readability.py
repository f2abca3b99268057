"""Line 9 of issue 2: the part of being readable that a program can see."""

from __future__ import annotations

import re

from harness import programs
from registry import Run, check

LONGEST = 400
#: What a file says in its first lines when it has to be longer.
REASON = "Longer than 400 lines because"


@check("2.9", "a clone read by someone new: folders are explained, files are short")
def readability(run: Run) -> None:
    root = programs.REPOSITORY
    modules = (root / "docs/modules.md").read_text()
    named = set(re.findall(r"`([\w.-]+)`", modules))
    folders = {folder.name for folder in (root / "Sources").iterdir() if folder.is_dir()}
    run.equal("folders of Sources/ that docs/modules.md does not name", "none", ", ".join(sorted(folders - named)) or "none")

    sources = [file for part in ("Sources", "Tests") for file in (root / part).rglob("*.swift") if ".build" not in file.parts]
    sources += [file for file in (root / "Tests").rglob("*.py") if ".build" not in file.parts]
    long, lengths = [], []
    for file in sources:
        text = file.read_text()
        lengths.append(text.count("\n"))
        if lengths[-1] > LONGEST and REASON not in text[:2000]:
            long.append(f"{file.relative_to(root)} ({lengths[-1]})")
    run.equal(f"files over {LONGEST} lines that do not say why", "none", ", ".join(sorted(long)) or "none")
    run.show("for the record: files, and the median of their lines", "–", f"{len(lengths)}, {sorted(lengths)[len(lengths) // 2]}", True)
    leftovers = [str(file.relative_to(root)) for file in sources if file.name == "Placeholder.swift"]
    run.equal("placeholders", "none", ", ".join(sorted(leftovers)) or "none")
