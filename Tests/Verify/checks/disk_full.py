"""Line 4 of issue 4: the disk is full for ten seconds under load, five times, and the gateway is well again by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from cluster import Cluster, read_records
from harness.processes import HarnessError, Session
from registry import Run, check

ROUNDS = 5
FULL = 10.0
WELL = 4.0
#: Of the file system that the database is on.
MEGABYTES = 512
#: Bodies of several kinds: in the row, in a row of their own, in a file.
MIX = ["6,POST,/cpu?ms=1,493", "2,POST,/cpu?ms=1,20000", "1,POST,/cpu?ms=1,400000"]


class SmallDisk:
    """A file system of its own in memory, which only root can mount."""

    def __init__(self, session: Session):
        self.path = session.subfolder("small-disk")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", self.path], capture_output=True, text=True)
        if mounted.returncode != 0:
            raise HarnessError(f"a small file system cannot be mounted, which needs root: {mounted.stderr.strip()}")

    @property
    def ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        with open(self.ballast, "wb") as file:
            part = self.free_bytes()
            while part >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, part)
                    part = self.free_bytes()
                except OSError:
                    # Others have taken of it meanwhile.
                    part //= 2

    def free_bytes(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def free(self) -> None:
        self.ballast.unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.path], check=False)


@check("4.4", "the disk full for 10 s under load, five times")
def disk_full(run: Run) -> None:
    disk = SmallDisk(run.session)
    try:
        under_load(run, disk)
    finally:
        disk.unmount()


def under_load(run: Run, disk: SmallDisk) -> None:
    folder = disk.path / "database"
    folder.mkdir()
    # Rows go before the disk is full of them.
    settings = {"DATABASE_PATH": folder / "neutrino.db", "DATABASE_MAX_BYTES": "96MiB"}
    cluster = Cluster(run.session, settings)
    cluster.database = folder / "neutrino.db"
    lines = cluster.folder / "answers.jsonl"
    # To fill the disk takes its time too.
    seconds = ROUNDS * (FULL + WELL + 3) + WELL
    load = run.generator.start(
        "mixed", cluster.port, request=MIX, requests=5_000_000, clients=16, seconds=seconds, prefix="full", output=lines
    )
    windows = []
    try:
        for _ in range(ROUNDS):
            time.sleep(WELL)
            disk.fill()
            began = time.time()
            time.sleep(FULL)
            disk.free()
            windows.append((began, time.time()))
        load.result()
    finally:
        load.stop()
    records = read_records(lines)
    cluster.wait_until_settled()
    cluster.gateway.process.signal(signal.SIGTERM)
    cluster.gateway.process.popen.wait(40)
    with cluster.rows() as database:
        integrity = database.value("PRAGMA integrity_check")
        open_rows = sum(count for state, count in database.states().items() if state in ("queued", "dispatched"))

    kinds: dict[str, int] = {}
    for record in records:
        key = f"{record.get('status') or record.get('error')} {record.get('reason') or ''}".strip()
        kinds[key] = kinds.get(key, 0) + 1
    refused = [
        sum(1 for each in records if each.get("reason") == "storage_unavailable" and began <= each["sent"] <= ended) for began, ended in windows
    ]
    recoveries = []
    for _, ended in windows:
        first = min((each["sent"] + each["milliseconds"] / 1000 for each in records if each.get("status") == 200 and each["sent"] >= ended), default=None)
        recoveries.append(float("inf") if first is None else first - ended)
    others = {key: count for key, count in kinds.items() if key not in ("200", "503 storage_unavailable")}

    run.show("503 storage_unavailable in each of the five times", "> 0 each", refused, all(count > 0 for count in refused))
    run.equal("answers of any other kind than 200 and 503 storage_unavailable", {}, others)
    run.within("first 200 after space came back, the slowest of five", max(recoveries), 1, " s")
    run.equal("PRAGMA integrity_check", "ok", integrity)
    run.equal("rows that never ended", 0, open_rows)
    run.show("for the record: answers", "–", ", ".join(f"{key} {count}" for key, count in sorted(kinds.items())), True)
