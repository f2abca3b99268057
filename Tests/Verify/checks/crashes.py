"""Line 6 of issue 2: the gateway is killed under load, again and again, and its rows still tell the truth."""

from __future__ import annotations

import random
import signal
import time

from cluster import Cluster, read_records
from registry import Run, check

KILLS = 10
#: GPU requests of 20 ms from 48 clients on 3 GPUs: some wait whenever the kill comes; CPU requests: some run.
MIX = ["2,POST,/gpu?ms=20,493", "2,POST,/cpu?ms=10,493", "1,POST,/cpu?ms=0,8000"]


@check("2.6", "kill -9 under load, ten times over")
def crashes(run: Run) -> None:
    chance = random.Random(6)
    cluster = Cluster(run.session)
    answers: dict[str, dict] = {}
    integrity = []
    for number in range(KILLS):
        lines = cluster.folder / f"answers-{number}.jsonl"
        load = run.generator.start(
            "mixed",
            cluster.port,
            request=MIX,
            requests=200_000,
            clients=48,
            seconds=3,
            prefix=f"kill{number}",
            seed=number,
            output=lines,
        )
        try:
            time.sleep(chance.uniform(0.7, 2.0))
            cluster.gateway.process.kill()
            with cluster.rows() as database:
                integrity.append(database.value("PRAGMA integrity_check"))
            cluster.start_gateway()
            load.result()
        finally:
            load.stop()
        answers |= {record["requestID"]: record for record in read_records(lines) if record.get("requestID")}
    cluster.wait_until_settled()
    cluster.gateway.process.signal(signal.SIGTERM)
    cluster.gateway.process.popen.wait(40)
    with cluster.rows() as database:
        integrity.append(database.value("PRAGMA integrity_check"))
        rows = {row["request_id"]: row["state"] for row in database.all("SELECT request_id, state FROM request_log")}
        dispatched = {
            row["request_id"]
            for row in database.all(
                "SELECT request_id FROM request_log l JOIN requests r ON r.id = l.id"
                " WHERE r.pod IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.request = r.id)"
            )
        }
    seen = {key for pod in cluster.pods for key in pod.requests()}
    of_pods = {key for key, record in answers.items() if not record.get("reason")}
    states = {state: sum(1 for each in rows.values() if each == state) for state in sorted(set(rows.values()))}

    run.equal("PRAGMA integrity_check after each kill and at the end", {"ok"}, set(integrity))
    run.equal("answers that clients got without a row", 0, len(answers.keys() - rows.keys()))
    run.equal("answers of pods without a dispatch in their rows", 0, len(of_pods - dispatched))
    run.equal("requests that a pod saw and no row names", 0, len(seen - rows.keys()))
    run.equal("requests that a pod saw and whose rows say abandoned", 0, sum(rows.get(key) == "abandoned" for key in seen))
    run.equal("requests that a pod saw without a dispatch in their rows", 0, len(seen - dispatched))
    open_ended = states.get("queued", 0) + states.get("dispatched", 0)
    run.equal("rows that never ended", 0, open_ended)
    unknown = [key for key in dispatched if rows[key] not in ("completed", "interrupted", "cancelled", "failed", "expired")]
    run.equal("dispatched rows of unknown outcome that are not interrupted", 0, len(unknown))
    run.show("the kills did hit: rows interrupted", "> 0", states.get("interrupted", 0), states.get("interrupted", 0) > 0)
    run.show("the kills did hit: rows abandoned", "> 0", states.get("abandoned", 0), states.get("abandoned", 0) > 0)
    run.show("for the record: rows by state", "–", ", ".join(f"{key} {value}" for key, value in states.items()), True)
