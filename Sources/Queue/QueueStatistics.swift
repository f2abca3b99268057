/// What the queue has done since it was opened, for metrics.
package struct QueueStatistics: Sendable {
    /// Waiting for the writer now.
    package var pendingRows = 0
    package var pendingOutcomes = 0
    /// Committed requests without a committed outcome.
    package var openRequests = 0

    package var commits = 0
    package var failedCommits = 0
    package var requestsWritten = 0
    package var attemptsWritten = 0
    package var outcomesWritten = 0
    package var rejectionsWritten = 0
    /// Over the bound per second: counted only.
    package var rejectionsSkipped = 0
    /// Rows that the database refused (a second end of a request); each is a bug of ours.
    package var rowsRefused = 0

    /// All that were written.
    package var recordedRows: Int { requestsWritten + attemptsWritten + outcomesWritten + rejectionsWritten }

    /// Rows of a commit.
    package var batchSizes = PowerHistogram()
    /// Of a commit, in microseconds.
    package var commitMicroseconds = PowerHistogram()

    package var walFrames = 0
    /// Above so many, intake stops.
    package var walFramesLimit = 0
    package var checkpoints = 0
    package var failedCheckpoints = 0
    /// The database file, and its WAL.
    package var databaseBytes: Int64 = 0
    package var walBytes: Int64 = 0
    package var spoolBytes: Int64 = 0
    package var reservedBodyBytes = 0
    /// Requests that retention or a purge removed.
    package var requestsRemoved = 0

    package init() {}
}

/// Counts by powers of two.
package struct PowerHistogram: Sendable, Equatable {
    /// `counts[i]` is how many values were in 2^(i-1) < value ≤ 2^i; the last has everything above.
    package private(set) var counts = [Int](repeating: 0, count: 24)
    package private(set) var sum = 0
    package private(set) var count = 0

    package init() {}

    package mutating func record(_ value: Int) {
        let bucket = value <= 1 ? 0 : Int.bitWidth - (value - 1).leadingZeroBitCount
        counts[min(bucket, counts.count - 1)] += 1
        sum += value
        count += 1
    }

    /// The upper bound of a bucket; nil for the last.
    package func upperBound(of bucket: Int) -> Int? { bucket < counts.count - 1 ? 1 << bucket : nil }
}
