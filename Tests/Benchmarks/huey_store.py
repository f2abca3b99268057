#!/usr/bin/env python3
"""What huey, a task queue with SQLite behind it, takes in and completes a second: one JSON object on standard output.

Run by the Python that has huey. One thread, as its own consumer is with one worker; a task that does nothing, its result stored. Without
syncs (`synchronous=OFF`), huey at its fastest: its other choices are one for each commit.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from huey import SqliteHuey

PAIRS = 20_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        huey = SqliteHuey(filename=str(Path(folder) / "huey.db"), results=True, store_none=True, fsync=False)

        @huey.task()
        def work(body: str) -> str:
            return body

        body = "x" * 493
        begin = time.perf_counter()
        for _ in range(PAIRS):
            work(body)
        while (task := huey.dequeue()) is not None:
            huey.execute(task)
        json.dump({"pairs_per_second": PAIRS / (time.perf_counter() - begin)}, sys.stdout)


if __name__ == "__main__":
    main()
