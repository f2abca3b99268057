import Core
import Glibc
package import Logging
import NIOConcurrencyHelpers
import NIOCore
import Synchronization

/// The durable truth about each request: one SQLite database, its writer, its readers and its files, opened and closed as one.
package final class RequestQueue: Sendable {
    package let configuration: QueueConfiguration
    /// What the dispatcher writes to.
    package let journal: GroupCommitJournal
    /// What operators read.
    package let log: RequestLog
    package let settings: Settings
    package let replayJobs: ReplayJobs
    /// What operators did.
    package let changes: ChangeLog
    package let budget: ByteBudget
    /// What became of requests, for metrics.
    package let meter = RequestMeter()
    package let spool: BodySpool
    private let recoveredReplays: NIOLockedValueBox<[RecoveredReplay]>

    private let lock: DatabaseLock
    private let buffer: WriterBuffer
    private let health: StorageHealth
    let checkpointer: Checkpointer
    let backupSlot = BackupSlot()
    private let counters: NIOLockedValueBox<QueueStatistics>
    private let threads: (writer: WorkerThread, checkpointer: WorkerThread)
    private let isClosed = Atomic<Bool>(false)
    private let logger: Logger

    /// Takes the lock, migrates the database, ends what the last run left open and starts the threads. Blocks meanwhile.
    /// - Throws: ``QueueError``.
    package static func open(_ configuration: QueueConfiguration, logger: Logger) throws -> RequestQueue {
        try open(configuration, checkpoints: nil, logger: logger)
    }

    static func open(
        _ configuration: QueueConfiguration,
        checkpoints: Checkpointer.Limits?,
        logger: Logger
    ) throws -> RequestQueue {
        var configuration = configuration
        let (lock, disk, _) = try prepare(&configuration, logger: logger)
        do {
            return try RequestQueue(
                configuration,
                lock: lock,
                disk: disk,
                checkpoints: checkpoints ?? disk.shares.checkpoints,
                logger: logger
            )
        } catch let failure as SQLiteFailure {
            throw DatabaseFile.error(failure, path: configuration.databasePath)
        } catch let error as QueueError {
            throw error
        } catch {
            throw QueueError(.storage, "the database \(configuration.databasePath) cannot be opened", cause: error)
        }
    }

    /// Brings the database to this program's schema and closes it again.
    /// - Returns: The names of the migrations that were run.
    /// - Throws: ``QueueError``.
    package static func migrate(_ configuration: QueueConfiguration, logger: Logger) throws -> [String] {
        var configuration = configuration
        return try prepare(&configuration, logger: logger).migrations
    }

    /// Takes the lock of the database, whose path is then without links, and migrates it.
    private static func prepare(
        _ configuration: inout QueueConfiguration,
        logger: Logger
    ) throws(QueueError) -> (lock: DatabaseLock, disk: DatabaseDisk, migrations: [String]) {
        try DatabaseFile.prepare(path: configuration.databasePath)
        configuration.databasePath = DatabaseFile.resolved(configuration.databasePath)
        let path = configuration.databasePath
        let lock = try DatabaseLock(path: configuration.lockPath, databasePath: path)
        // One that a crash has left.
        unlink(configuration.backupPath)
        let disk = DatabaseDisk(configuration)
        if !disk.isRoomy { disk.letGo() }
        let migrations = try DatabaseFile.migrate(path: path)
        if !migrations.isEmpty {
            logger.info("The database was migrated", metadata: ["path": "\(path)", "steps": "\(migrations)"])
        }
        return (lock, disk, migrations)
    }

    private init(
        _ configuration: QueueConfiguration,
        lock: DatabaseLock,
        disk: DatabaseDisk,
        checkpoints: Checkpointer.Limits,
        logger: Logger
    ) throws {
        self.configuration = configuration
        self.lock = lock
        self.logger = logger
        let connection = try DatabaseFile.openWriter(configuration, checkpoints: checkpoints)
        try DatabaseFile.check(connection)
        let recovery = try Recovery.run(connection, milliseconds: wallClockMilliseconds())
        let sync: (@Sendable (Int32) -> Int32)? = if configuration.synchronous == .full { { fsync($0) } } else { nil }
        let spool = BodySpool(path: configuration.spoolPath, sync: sync)
        let session = try WriterSession(connection, configuration: configuration, spool: spool, disk: disk)
        let orphans = try spool.open { try session.statements.isNamed(file: $0) }

        health = StorageHealth(logger: logger)
        let gate = CommitGate()
        checkpointer = Checkpointer(gate: gate, health: health, limits: checkpoints, logger: logger)
        checkpointer.attach(try DatabaseFile.openCheckpointer(configuration), writer: connection)
        buffer = WriterBuffer(
            ids: RequestIDGenerator(node: configuration.nodeID, last: recovery.largestID),
            limit: configuration.writerBufferEntries,
            rejectionsPerSecond: configuration.rejectionsPerSecond
        )
        settings = try Settings(connection, buffer: buffer)
        var open = OpenRequests()
        for id in recovery.waiting { open.add(id.rawValue) }
        let lowWaterMark = SharedMark()
        log = try RequestLog(configuration, spool: spool, lowWater: { lowWaterMark.value })
        let writer = QueueWriter(
            buffer: buffer,
            session: session,
            files: DatabaseFiles(path: configuration.databasePath),
            reopening: DatabaseReopening(
                configuration: configuration,
                lock: lock,
                checkpointer: checkpointer,
                log: log,
                settings: settings,
                spool: spool,
                disk: disk,
                logger: logger
            ),
            health: health,
            gate: gate,
            open: open,
            largestID: recovery.largestID,
            lowWaterMark: lowWaterMark
        )
        writer.start()
        counters = writer.counters
        replayJobs = try ReplayJobs(connection, buffer: buffer, log: log)
        changes = ChangeLog(buffer: buffer, log: log)
        self.spool = spool
        budget = ByteBudget(limit: configuration.maxQueueBytes)
        journal = GroupCommitJournal(buffer: buffer, health: health, meter: meter, logger: logger)

        let (recovered, lost) = try Self.load(recovery.waiting, from: log)
        recoveredReplays = NIOLockedValueBox(recovered)
        // The writer's connection is this thread's from here on.
        threads = (
            WorkerThread(name: "queue-writer") { writer.run() },
            WorkerThread(name: "queue-checkpoint") { [checkpointer] in checkpointer.run() }
        )
        for id in lost {
            let detail = "its body was gone when the gateway started again"
            journal.end(
                Outcome(id: id, state: .abandoned, reason: .gatewayEnded, detail: detail, hold: .zero, total: .zero)
            )
        }
        logger.info(
            "The queue is open",
            metadata: [
                "path": "\(configuration.databasePath)", "synchronous": "\(configuration.synchronous)",
                "abandoned": "\(recovery.abandoned + lost.count)", "interrupted": "\(recovery.interrupted)",
                "replays": "\(recovered.count)", "files.removed": "\(orphans)",
            ]
        )
        if let capacity = configuration.diskCapacity, capacity < configuration.databaseMaxBytes {
            logger.warning(
                "DATABASE_MAX_BYTES is more than the disk can hold; the oldest rows go when that is nearly full",
                metadata: [
                    "path": "\(configuration.databasePath)", "limit": "\(configuration.databaseMaxBytes)",
                    "capacity": "\(capacity)",
                ]
            )
        }
    }

    /// Replays that waited when the gateway last ended, oldest first; they are to be queued again. With their bodies, so nothing keeps them
    /// here once they are taken.
    package func takeRecovered() -> [RecoveredReplay] {
        recoveredReplays.withLockedValue { recovered in
            defer { recovered = [] }
            return recovered
        }
    }

    /// Reads the replays that go on waiting, and tells which cannot.
    private static func load(
        _ ids: [RequestID],
        from log: RequestLog
    ) throws -> (recovered: [RecoveredReplay], lost: [RequestID]) {
        var recovered: [RecoveredReplay] = []
        var lost: [RequestID] = []
        for id in ids {
            let source = try log.readNow { try ReplaySource.fetch($0, id: id, spool: log.spool) }
            guard let source, !source.isBodyMissing else {
                lost.append(id)
                continue
            }
            let stamp = QueuedRequest.Stamp(id: id, milliseconds: id.milliseconds)
            recovered.append(RecoveredReplay(source: source, stamp: stamp))
        }
        return (recovered, lost)
    }

    /// Returns when everything that was handed over before is committed, outcomes too; for those who read their own writes.
    /// - Throws: Where the disk does not let it.
    package func flush() async throws {
        try await perform { _ in }
    }

    /// Runs `body` on the writer's thread, in a transaction of its own.
    func perform(_ body: @escaping @Sendable (SQLiteConnection) throws -> Void) async throws {
        try await buffer.perform(body)
    }

    /// Runs `body` on the writer's thread, between two transactions.
    func slice(_ body: @escaping @Sendable (SQLiteConnection) throws -> Void) async throws {
        try await buffer.perform(.plain(body))
    }

    /// Runs `body` on the writer's thread, whatever has become of the database.
    func onWriterThread(_ body: @escaping @Sendable () -> Void) async throws {
        try await buffer.perform(.threadOnly(body))
    }

    /// Requests were removed on an operator's word.
    func count(removed: Int) {
        counters.withLockedValue { $0.requestsRemoved += removed }
    }

    /// Writes everything that was handed over, takes a last checkpoint and closes the database. Later calls to the journal fail.
    package func close() async {
        await withCheckedContinuation { continuation in
            // On a thread of its own, since it waits for threads.
            let closing = WorkerThread(name: "queue-close") {
                self.closeNow()
                continuation.resume()
            }
            closing.detach()
        }
    }

    /// ``close()``, blocking.
    func closeNow() {
        guard !isClosed.exchange(true, ordering: .sequentiallyConsistent) else { return }
        health.close()
        buffer.close()
        threads.writer.join()
        log.close()
        checkpointer.close()
        threads.checkpointer.join()
        // The last connection.
        checkpointer.finish()
        spool.close()
        lock.release()
        logger.info("The queue is closed")
    }

    /// What it has done so far, for metrics.
    package var statistics: QueueStatistics {
        var statistics = counters.withLockedValue { $0 }
        let depth = buffer.depth
        statistics.pendingRows = depth.rows
        statistics.pendingOutcomes = depth.outcomes
        statistics.rejectionsSkipped = depth.rejectionsSkipped
        let checkpoints = checkpointer.counts
        statistics.checkpoints = checkpoints.taken
        statistics.failedCheckpoints = checkpoints.failed
        statistics.walFrames = checkpointer.walFrames
        statistics.walFramesLimit = checkpointer.limits.behindFrames
        statistics.databaseBytes = Self.byteCount(configuration.databasePath)
        statistics.walBytes = Self.byteCount(configuration.databasePath + "-wal")
        statistics.spoolBytes = spool.byteCount
        statistics.reservedBodyBytes = budget.used
        return statistics
    }

    /// The rows written since it was opened, of requests and of what became of them: another figure says that the log has moved.
    package var recordedRows: Int { counters.withLockedValue { $0.recordedRows } }

    private static func byteCount(_ path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}
