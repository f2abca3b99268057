import Queue
import Telemetry

/// What the queue's database has done, and how large it is.
struct StorageCollector: MetricsCollector {
    let queue: RequestQueue

    func collect() async -> [MetricFamily] {
        let statistics = queue.statistics
        return commits(statistics) + rows(statistics) + sizes(statistics)
    }

    private func commits(_ statistics: QueueStatistics) -> [MetricFamily] {
        [
            .gauge(
                "neutrino_storage_available",
                "1 while requests can be recorded; else they are answered 503 `storage_unavailable`.",
                queue.journal.unavailable == nil
            ),
            .histogram(
                "neutrino_commit_rows",
                "Rows of a commit: requests, dispatches, outcomes and rejections.",
                HistogramValue(statistics.batchSizes, powers: 0...11, unit: 1)
            ),
            .histogram(
                "neutrino_commit_duration_seconds",
                "Of a commit, from its begin to the disk.",
                HistogramValue(statistics.commitMicroseconds, powers: 6...22, unit: 1e6)
            ),
            .counter("neutrino_commit_failures_total", "Commits that failed.", statistics.failedCommits),
            .gauge("neutrino_writer_pending", "Entries that wait for the writer.", statistics.pending),
            .counter("neutrino_checkpoints_total", "Checkpoints that were taken.", statistics.checkpoints),
            .counter("neutrino_checkpoint_failures_total", "Checkpoints that failed.", statistics.failedCheckpoints),
        ]
    }

    private func rows(_ statistics: QueueStatistics) -> [MetricFamily] {
        var rows = MetricFamily(.counter, "neutrino_rows_written_total", "Rows that were written, by table.")
        rows.add(statistics.requestsWritten, [.init("table", "requests")])
        rows.add(statistics.attemptsWritten, [.init("table", "attempts")])
        rows.add(statistics.outcomesWritten, [.init("table", "outcomes")])
        rows.add(statistics.rejectionsWritten, [.init("table", "rejections")])
        return [
            rows,
            .counter(
                "neutrino_rejections_unlogged_total",
                "Rejections without a row, being over 100 in a second.",
                statistics.rejectionsSkipped
            ),
            .counter(
                "neutrino_rows_refused_total",
                "Rows that the database refused as a second end of a request; each is a defect of the gateway.",
                statistics.rowsRefused
            ),
            .counter(
                "neutrino_retention_removed_requests_total",
                "Requests that retention or a purge removed from the log.",
                statistics.requestsRemoved
            ),
        ]
    }

    private func sizes(_ statistics: QueueStatistics) -> [MetricFamily] {
        [
            .gauge(
                "neutrino_queue_bytes",
                "Bodies of all requests from their first byte to their end, in memory and spooled.",
                statistics.reservedBodyBytes
            ),
            .gauge(
                "neutrino_queue_limit_bytes",
                "`MAX_QUEUE_BYTES`: what is over it is answered 429.",
                queue.budget.limit
            ),
            .gauge("neutrino_open_requests", "Recorded requests without a recorded end.", statistics.openRequests),
            .gauge("neutrino_database_bytes", "The database file.", Double(statistics.databaseBytes)),
            .gauge(
                "neutrino_wal_bytes",
                "Its write-ahead log, which is used again and not cut.",
                Double(statistics.walBytes)
            ),
            .gauge("neutrino_spool_bytes", "Bodies in files beside the database.", Double(statistics.spoolBytes)),
            .gauge(
                "neutrino_wal_frames",
                "Pages in the write-ahead log since it last began anew.",
                statistics.walFrames
            ),
            .gauge(
                "neutrino_wal_limit_frames",
                "Above so many, requests are answered 503 until checkpoints keep up.",
                statistics.walFramesLimit
            ),
        ]
    }
}

extension QueueStatistics {
    fileprivate var pending: Int { pendingRows + pendingOutcomes }
}
