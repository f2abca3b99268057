"""Line 2 of issue 2: mixed requests, and three accounts of them that have to agree one for one."""

from __future__ import annotations

from cluster import Cluster, read_records
from registry import Run, check

REQUESTS = 3000
CLIENTS = 64
#: Weight, method, path, bytes of the body.
MIX = ["3,POST,/gpu?ms=5,493", "5,POST,/cpu?ms=5,493", "1,GET,/unknown/path?ms=2", "1,PUT,/cpu?ms=2,6000"]


@check("2.2", "3,000 mixed requests from 64 clients over three pods")
def agreement(run: Run) -> None:
    cluster = Cluster(run.session)
    lines = cluster.folder / "answers.jsonl"
    load = run.generator.run("mixed", cluster.port, request=MIX, requests=REQUESTS, clients=CLIENTS, output=lines)
    cluster.wait_until_settled()
    answers = {record["requestID"]: record for record in read_records(lines) if record.get("requestID")}
    by_name = {pod.name: pod for pod in cluster.pods}
    stats = {pod.name: pod.stats() for pod in cluster.pods}
    seen = {pod.name: pod.requests() for pod in cluster.pods}
    with cluster.rows() as database:
        rows = {row["request_id"]: row for row in database.all("SELECT * FROM request_log")}
        gpu_on_b = database.value("SELECT count(*) FROM request_log WHERE gpus > 0 AND pod = ?", by_name["b"].url)
        gpu_rows = database.value("SELECT count(*) FROM request_log WHERE gpus > 0")

    run.equal("answers of status 200", {"200": REQUESTS}, load["statuses"] | load["errors"])
    run.equal("different request ids in the answers", REQUESTS, len(answers))
    run.equal("GPU requests that ran on the pod without GPUs (by its own count)", 0, stats["b"]["gpu_requests"])
    run.equal("GPU requests that ran there (by the rows)", 0, gpu_on_b)
    run.equal("GPU requests that ran elsewhere: pods' count beside the rows'", gpu_rows,
              stats["a"]["gpu_requests"] + stats["c"]["gpu_requests"])
    refused = sum(each["refused"] for each in stats.values())
    run.show("refused by pods", f"≤ {REQUESTS // 1000}", refused, refused <= REQUESTS // 1000)

    finished = {key for key, row in rows.items() if row["state"] == "completed" and row["status"] == 200}
    run.equal("rows that are no answer's, and answers without a completed row", 0, len(finished ^ answers.keys()))
    run.equal("rows in all", REQUESTS, len(rows))
    ran = [key for keys in seen.values() for key in keys]
    run.equal("requests that pods ran", REQUESTS, len(ran))
    run.equal("of them not answered, or answered and not run", 0, len(set(ran) ^ answers.keys()))
    elsewhere = sum(
        rows[key]["pod"] != by_name[name].url or name not in (answers[key].get("body") or "")
        for name, keys in seen.items()
        for key in keys
        if key in rows and key in answers
    )
    run.equal("requests whose row or answer names another pod", 0, elsewhere)
    run.show("for the record: requests/s, hold included", "–", f"{load['requestsPerSecond']:.0f}", True)
