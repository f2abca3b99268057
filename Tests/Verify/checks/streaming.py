"""Line 5 of issue 2: answers stream as they come, and memory does not grow with what passes through."""

from __future__ import annotations

import hashlib
import json
import zlib

from cluster import Cluster
from registry import Run, check

EVENTS = 100
PAUSE = 20
STREAMS = 4
MEBIBYTE = 1 << 20
MEMORY = 150 * MEBIBYTE


@check("2.5", "100 events 20 ms apart, an answer of 1 GiB, an upload of 90 MiB")
def streaming(run: Run) -> None:
    cluster = Cluster(run.session)
    memory = cluster.gateway.process.memory
    for streams in (1, STREAMS):
        load = run.generator.run(
            "sse",
            cluster.port,
            path=f"/cpu?events={EVENTS}&interval_ms={PAUSE}",
            method="POST",
            connections=streams,
            events=EVENTS,
            seconds=30,
        )
        run.equal(f"events on {streams} streams", EVENTS * streams, load["counts"]["events"])
        run.equal("of them without a time stamp", 0, load["counts"]["without_stamp"])
        run.within("the most that one came after it was sent", load["more"]["event_delay"]["max"], 10, " ms")

    size = 1024 * MEBIBYTE
    load = run.generator.run("download", cluster.port, path=f"/big?bytes={size}", bytes=size)
    run.equal("a 1 GiB answer: bytes and CRC-32", [size, checksum(size)],
              [load["counts"]["received_bytes"], load["notes"]["received_crc32"]])
    direct = run.generator.run("download", cluster.pods[0].server.port, path=f"/big?bytes={size}", bytes=size)
    run.show("for the record: MiB/s", "–", f"{1024 / load['seconds']:.0f} (directly {1024 / direct['seconds']:.0f})", True)

    size = 90 * MEBIBYTE
    load = run.generator.run("upload", cluster.port, path="/upload", bytes=size)
    run.equal("a 90 MiB upload", {"200": 1}, load["statuses"] | load["errors"])
    report = json.loads(load["notes"]["answer"])
    digest = hashlib.sha256(pattern(size)).hexdigest()
    run.equal("its bytes and SHA-256 as the pod saw them", [size, digest[:16]], [report["body_bytes"], report["body_sha256"][:16]])
    peak = memory("VmHWM")
    run.show("the most memory it ever had", "< 150 MiB", f"{peak / MEBIBYTE:.1f} MiB", peak < MEMORY)


def pattern(size: int) -> bytes:
    """The body that pods and the load generator send: the byte at n is n mod 251."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def checksum(size: int) -> str:
    """Its CRC-32, a part at a time."""
    part, crc = bytes(range(251)) * 4096, 0
    for _ in range(size // len(part)):
        crc = zlib.crc32(part, crc)
    return f"{zlib.crc32(pattern(size % len(part)), crc):x}"
