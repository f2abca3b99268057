"""Line 3 of issue 2: many GPU requests at once keep all GPUs busy."""

from __future__ import annotations

from cluster import GPUS, Cluster, read_records
from registry import Run, check

REQUESTS = 300
TASK = 0.050
BAR = 0.85


@check("2.3", "300 GPU requests of 50 ms at once on 3 GPUs")
def gpu_burst(run: Run) -> None:
    cluster = Cluster(run.session)
    lines = cluster.folder / "answers.jsonl"
    load = run.generator.run(
        "mixed",
        cluster.port,
        request=[f"1,POST,/gpu?ms={TASK * 1000:.0f},493"],
        requests=REQUESTS,
        clients=REQUESTS,
        output=lines,
    )
    records = read_records(lines)
    first = min(record["sent"] for record in records)
    last = max(record["sent"] + record["milliseconds"] / 1000 for record in records)
    ideal = REQUESTS * TASK / GPUS
    busy = sum(pod.stats()["gpu_busy_seconds"] for pod in cluster.pods)
    run.equal("answers of status 200", {"200": REQUESTS}, load["statuses"] | load["errors"])
    run.within("ideal time over the time it took", ideal / (last - first), BAR, below=False)
    share = busy / GPUS / (last - first)
    run.within("share of the time that GPUs were in use (by the pods' count)", share, BAR, below=False)
    refused = sum(pod.stats()["refused"] for pod in cluster.pods)
    run.show("refused by pods", "≤ 3", refused, refused <= 3)
