/// How the queue keeps its rows; every value has a working default.
package struct QueueConfiguration: Sendable {
    /// What a commit survives.
    package enum Synchronous: String, CaseIterable, Sendable {
        /// A crash of the process.
        case normal
        /// A loss of power too: each commit waits for the disk.
        case full
    }

    /// `DATABASE_PATH`. Beside it stand its `-wal` and `-shm`, `.lock`, `.reserve`, the folder `.bodies`, and for a while `.backup`.
    package var databasePath = "neutrino.db"
    /// `QUEUE_SYNCHRONOUS`.
    package var synchronous = Synchronous.normal
    /// `NODE_ID`, 0 … 1023: keeps the ids of several gateways apart.
    package var nodeID = 0
    /// `MAX_QUEUE_BYTES`: over the bodies of all requests that wait or are under way, in memory and spooled.
    package var maxQueueBytes = 1 << 30
    /// A body up to this size is in its request's row; a larger one has a row of its own.
    package var inlineBodyBytes = 4096
    /// Entries that may wait for the writer; one more is answered with a failed commit.
    package var writerBufferEntries = 32_768
    /// Rejections written a second; the rest are only counted.
    package var rejectionsPerSecond = 100

    /// `KEEP_CREDENTIALS`: whether credentials are written to rows, so that requests that carry them can be replayed.
    package var keepCredentials = false
    /// `REDACT_HEADERS`: names of further fields whose values are never written.
    package var redactedFields: [String] = []
    /// `REDACT_QUERY`: names of query parameters whose values are never written.
    package var redactedQuery: [String] = []

    /// `LOG_RETENTION`: the age at which ended requests are removed.
    package var logRetention = Duration.seconds(7 * 86_400)
    /// `LOG_BODY_RETENTION`: the age at which bodies, theirs and those of their answers, are removed.
    package var logBodyRetention = Duration.seconds(86_400)
    /// `DATABASE_MAX_BYTES`: over rows and spooled bodies; above it the oldest ended requests go before their time.
    package var databaseMaxBytes: Int64 = 10 << 30
    /// Held back on the database's disk for when that is full; at most an eighth of it.
    package var heldBackBytes: Int64 = 64 << 20

    /// Readers of the request log at once.
    package var readers = 4
    /// A read of the request log is interrupted after this.
    package var readTimeout = Duration.seconds(2)
    /// Rows that one page of the request log looks at.
    package var pageScanLimit = 20_000

    package init(databasePath: String = "neutrino.db") {
        self.databasePath = databasePath
    }
}

extension QueueConfiguration {
    /// Held by the process that has the database open.
    package var lockPath: String { databasePath + ".lock" }
    /// Where bodies over ``BodySpool/threshold`` are.
    package var spoolPath: String { databasePath + ".bodies" }
    /// What holds room back on the disk.
    package var reservePath: String { databasePath + ".reserve" }
    /// Where a backup is while it is taken.
    package var backupPath: String { databasePath + ".backup" }
}
