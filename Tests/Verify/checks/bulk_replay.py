"""Line 2 of issue 3: ten thousand failed requests are replayed beside live traffic, through a kill in the middle."""

from __future__ import annotations

import time

from cluster import Cluster
from harness.processes import HarnessError, wait_for
from registry import Run, check

COUNT = 10_000
RATE = 500
#: Requests/s of live traffic, and what it and the failed requests are.
LIVE = 400
MIX = ["1,POST,/gpu?ms=5,493", "9,POST,/cpu?ms=5,493"]
QUIET = 8
MILLISECOND = 1000


@check("3.2", "bulk replay of 10,000 failed requests at 500/s beside live traffic, kill -9 in the middle")
def bulk_replay(run: Run) -> None:
    cluster = Cluster(run.session, settings={"HOLD_TIMEOUT": "0.05"})
    fail_all(run, cluster)
    cluster.settings["HOLD_TIMEOUT"] = "30"
    load = start_live(run, cluster, 120)
    try:
        time.sleep(1)
        quiet = now()
        time.sleep(QUIET)
        begun = now()
        status, job = cluster.admin("/replays", "POST", {"filter": {"state": ["expired"]}, "rate": RATE, "max": COUNT})
        if status != 202:
            raise HarnessError(f"the job was not made: {status} {job}")
        path = f"/replays/{job['id']}"
        wait_for("half is replayed", lambda: cluster.admin(path)[1]["completed"] >= COUNT // 2, 60)
        killed = now()
        cluster.gateway.process.kill()
    finally:
        load.stop()
    took = (killed - begun) / 1000
    with cluster.rows() as database:
        in_flight = in_flight_rows(database, job["id"])
        before = hold_p99(database, quiet, begun)
        during = hold_p99(database, begun, killed)
    cluster.start_gateway()
    load = start_live(run, cluster, 60)
    try:
        wait_for("the replay has ended", lambda: cluster.admin(path)[1].get("ended_at"), 90)
    finally:
        load.stop()
    _, job = cluster.admin(path)
    time.sleep(0.5)

    with cluster.rows() as database:
        rows = database.all(
            "SELECT l.request_id, l.state, r.replay_of FROM requests r JOIN request_log l ON l.id = r.id"
            " WHERE r.replay_job = ? AND l.state <> 'abandoned'",
            int(job["id"]),
        )
        failed = "SELECT r.id FROM requests r JOIN outcomes o ON o.request = r.id WHERE o.state = 4 AND r.accepted_at < ?"
        sources = {row[0] for row in database.all(failed, int(quiet))}
    ran: dict[str, int] = {}
    for pod in cluster.pods:
        for key in pod.requests():
            ran[key] = ran.get(key, 0) + 1
    interrupted = [row for row in rows if row["state"] == "interrupted"]
    others = [row for row in rows if row["state"] != "interrupted"]

    run.show("live p99 hold before and while it runs, ms", "grows < 5", f"{before:.2f} and {during:.2f}", during - before < 5)
    reached = (COUNT // 2) / took
    run.show("replays/s until the kill", f"≤ {RATE}, near it", f"{reached:.0f}", 0.8 * RATE <= reached <= 1.02 * RATE)
    run.equal("failed requests that have one replay", len(sources), len({row["replay_of"] for row in rows} & sources))
    run.equal("replays of them in all", COUNT, len(rows))
    run.equal("requests that ran twice, by the pods' own count", 0, sum(1 for count in ran.values() if count > 1))
    what = "replays interrupted; with a pod at the kill, by the rows"
    run.show(what, "at most those", f"{len(interrupted)}; {in_flight}", len(interrupted) <= in_flight)
    run.equal("interrupted, as the job tells", len(interrupted), job["interrupted"])
    run.equal("all others ran once", len(others), sum(1 for row in others if ran.get(row["request_id"]) == 1))
    run.equal("and completed", len(others), job["completed"])


def fail_all(run: Run, cluster: Cluster) -> None:
    """Has every request of a load refused at its hold timeout: no pod answers. Starts the gateway again with its pods."""
    cluster.gateway.process.kill()
    cluster.configuration.write_text("static_backends:\n  - http://127.0.0.1:1\n")
    pods, cluster.pods = cluster.pods, []
    cluster.wait_for_pods = lambda: None
    cluster.start_gateway()
    output = cluster.folder / "failed.jsonl"
    run.generator.run("mixed", cluster.port, request=MIX, requests=COUNT, clients=100, output=output)
    cluster.wait_until_settled()
    with cluster.rows() as database:
        states = database.states()
    run.equal("failed requests to begin with", {"expired": COUNT}, states)
    cluster.gateway.process.kill()
    del cluster.wait_for_pods
    cluster.pods = pods
    cluster.write_configuration()
    cluster.start_gateway()


def start_live(run: Run, cluster: Cluster, seconds: float):
    return run.generator.start("open", cluster.port, request=MIX, rate=LIVE, seconds=seconds)


def now() -> float:
    """Milliseconds since 1970, as rows have them."""
    return time.time() * 1000


def hold_p99(database, since: float, until: float) -> float:
    """Of live requests that were taken between two times, in milliseconds."""
    holds = [
        row[0]
        for row in database.all(
            "SELECT o.hold FROM requests r JOIN outcomes o ON o.request = r.id"
            " WHERE r.priority = 0 AND o.state = 2 AND r.accepted_at BETWEEN ? AND ? ORDER BY o.hold",
            int(since),
            int(until),
        )
    ]
    if len(holds) < 1000:
        raise HarnessError(f"only {len(holds)} live requests to measure by")
    return holds[int(len(holds) * 0.99)] / MILLISECOND


def in_flight_rows(database, job: str) -> int:
    """Replays of a job that are committed as with a pod and have no outcome."""
    return database.value(
        "SELECT count(*) FROM requests r WHERE r.replay_job = ? AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.request = r.id)"
        " AND (r.pod IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.request = r.id))",
        int(job),
    )
