"""Makes a database with a large request log, quickly: by SQLite itself, into the schema that `neutrino-gateway migrate` made."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from pathlib import Path

from harness import programs

#: 2024-01-01T00:00Z in milliseconds, and the bits of an id behind its own: as in docs/ and Sources/Core/RequestID.swift.
EPOCH = 1_704_067_200_000
BITS = 22
#: Over how long the requests came, in milliseconds: within LOG_RETENTION, and within LOG_BODY_RETENTION.
SPAN = 12 * 3_600_000

#: Of 100 requests, by the last two digits of their number: two failed, two expired, one was cancelled, one interrupted.
REQUESTS = """
WITH RECURSIVE n(i) AS (VALUES (:from) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :to)
INSERT INTO requests (id, accepted_at, method, target, route, cpus, gpus, memory, priority, client, pod, body_bytes, fields, body)
SELECT ((:start + i * :step - :epoch) << :bits) + i % 4096, :start + i * :step, 'POST',
    CASE i % 5 WHEN 0 THEN '/gpu?item=' ELSE '/cpu?item=' END || i, CASE i % 5 WHEN 0 THEN 'POST /gpu' ELSE 'POST /cpu' END,
    1000, CASE i % 5 WHEN 0 THEN 1000 ELSE 0 END, 1000, 0, '10.0.' || i % 200 || '.' || i % 250,
    CASE WHEN i % 100 IN (3, 4) THEN NULL ELSE 'http://10.1.0.' || i % 7 || ':8000' END, 120,
    CAST('Host: example.org' || char(13, 10) || 'Content-Type: application/json' || char(13, 10) AS BLOB), zeroblob(120)
FROM n
"""
OUTCOMES = """
WITH RECURSIVE n(i) AS (VALUES (:from) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :to)
INSERT INTO outcomes (request, state, reason, status, pod, attempts, ended_at, hold, first_byte, upstream, total, answer_bytes, answer_status)
SELECT ((:start + i * :step - :epoch) << :bits) + i % 4096,
    CASE i % 100 WHEN 1 THEN 3 WHEN 2 THEN 3 WHEN 3 THEN 4 WHEN 4 THEN 4 WHEN 5 THEN 5 WHEN 6 THEN 7 ELSE 2 END,
    CASE i % 100 WHEN 1 THEN 'upstream_reset' WHEN 2 THEN 'upstream_timeout' WHEN 3 THEN 'no_capacity' WHEN 4 THEN 'no_pods'
        WHEN 5 THEN 'client_closed' WHEN 6 THEN 'gateway_ended' ELSE 'ok' END,
    CASE i % 100 WHEN 1 THEN 502 WHEN 2 THEN 504 WHEN 3 THEN 503 WHEN 4 THEN 503 WHEN 5 THEN NULL WHEN 6 THEN NULL ELSE 200 END,
    CASE WHEN i % 100 IN (3, 4) THEN NULL ELSE 'http://10.1.0.' || i % 7 || ':8000' END,
    CASE WHEN i % 100 IN (3, 4) THEN 0 ELSE 1 END, :start + i * :step + 60, 1500 + i % 9000, 20000, 45000, 60000, 226, 200
FROM n
"""
CHANGES = """
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
INSERT INTO changes (at, action, subject, before, after, client, author)
SELECT :start + i, 'hold_timeout', 'POST /gpu', i, i + 1, '127.0.0.1', 'admin' FROM n
"""


def make(database: Path, rows: int, slice_rows: int = 100_000) -> None:
    """A database of that many ended requests and 10,000 changes; the newest came a minute ago."""
    program = programs.release_binary("neutrino-gateway")
    subprocess.run([program, "migrate", "--database-path", database], check=True, capture_output=True)
    step = SPAN // rows
    values = {"start": int(time.time() * 1000) - 60_000 - step * rows, "step": step, "epoch": EPOCH, "bits": BITS}
    if step == 0:
        raise ValueError(f"{rows} rows are more than one for each millisecond of {SPAN}")
    with sqlite3.connect(database, isolation_level=None) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for begin in range(0, rows, slice_rows):
            bounds = {"from": begin, "to": min(begin + slice_rows, rows)}
            connection.execute("BEGIN")
            connection.execute(REQUESTS, values | bounds)
            connection.execute(OUTCOMES, values | bounds)
            connection.execute("COMMIT")
        connection.execute(CHANGES, {"start": values["start"]})
        # Nothing is open: the next start need not look at all of it.
        connection.execute("INSERT OR REPLACE INTO marks (name, value) SELECT 'low_water', max(id) + 1 FROM requests")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
