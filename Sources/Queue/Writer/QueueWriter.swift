import Core
import Logging
import NIOConcurrencyHelpers
import Synchronization

/// The one thread that writes: takes what has come, commits it, tells who waits, and takes what came meanwhile.
///
/// Everything but ``counters`` and ``lowWaterMark`` belongs to that thread. Its loop is ``run()``.
final class QueueWriter: @unchecked Sendable {
    // `@unchecked`: made on one thread and then handed to the writer's own; `counters` has its lock.

    /// Rows of one transaction; what is over goes into the next.
    static let rowsPerCommit = 1024
    /// Between two saves of the low-water mark, and two looks at what retention has to do, in nanoseconds.
    static let tick: Int64 = 1_000_000_000
    /// Between two tries to write while the disk is bad.
    static let probeInterval: Int64 = 250_000_000

    /// Between two looks at the database's files, in nanoseconds.
    static let lookInterval: Int64 = 100_000_000

    let buffer: WriterBuffer
    let reopening: DatabaseReopening
    let health: StorageHealth
    let gate: CommitGate
    let counters = NIOLockedValueBox(QueueStatistics())
    /// The mark as of the last commit, for readers.
    let lowWaterMark: SharedMark

    /// nil while no database is open.
    var session: WriterSession?
    var watch: DatabaseWatch
    var nextLook: Int64 = 0
    /// Why nothing is to be written until the next look.
    var filesProblem: StorageProblem?

    var reports = CommitReports()
    /// Requests that were open when the queue was opened are among them: replays that go on waiting.
    var open: OpenRequests
    var batch = WriterBatch()
    /// Outcomes that are not committed yet.
    var unwritten: [PendingOutcome] = []
    var savedMark: Int64 = 0
    var largestID: Int64
    private var nextTick: Int64 = 0
    /// Why nothing is to be written until there is room on the disk again.
    var fullProblem: StorageProblem?
    /// When that is next tried for.
    var nextTry: Int64 = 0

    init(
        buffer: WriterBuffer,
        session: WriterSession,
        files: DatabaseFiles,
        reopening: DatabaseReopening,
        health: StorageHealth,
        gate: CommitGate,
        open: OpenRequests,
        largestID: Int64,
        lowWaterMark: SharedMark
    ) {
        self.buffer = buffer
        self.session = session
        watch = DatabaseWatch(opened: files)
        self.reopening = reopening
        self.health = health
        self.gate = gate
        self.open = open
        self.largestID = largestID
        self.lowWaterMark = lowWaterMark
        lowWaterMark.value = open.lowest ?? largestID + 1
    }

    var logger: Logger { reopening.logger }
    var spool: BodySpool { reopening.spool }
    var disk: DatabaseDisk { reopening.disk }

    /// Until the buffer is closed and empty.
    func run() {
        var isBusy = false
        repeat {
            let deadline = deadline
            buffer.take(&batch, until: deadline, isBusy: isBusy, isBroken: health.isWritingBroken)
            isBusy = !batch.rows.isEmpty
            turn()
        } while !batch.isLast
        finish()
    }

    /// Writes what was taken and does what is due beside; leaves the batch empty.
    private func turn() {
        let isProbe = health.isWritingBroken && batch.rows.isEmpty
        if unwritten.isEmpty {
            swap(&unwritten, &batch.outcomes)
        } else {
            unwritten.append(contentsOf: batch.outcomes)
            batch.outcomes.removeAll(keepingCapacity: true)
        }
        if let session = usableSession() {
            if hasRoom(session) { writeAll(session, isProbe: isProbe) } else { refuseAll(fullProblem) }
        } else {
            refuseAll(filesProblem)
        }
        batch.rejections.removeAll(keepingCapacity: true)
        batch.rows.removeAll(keepingCapacity: true)
        for job in batch.jobs { run(job) }
        batch.jobs.removeAll(keepingCapacity: true)
        for body in batch.discarded { discard(body) }
        batch.discarded.removeAll()
        let now = monotonicNanoseconds()
        if now >= nextTick { nextTick = now + Self.tick }
        maintain()
    }

    private func writeAll(_ session: WriterSession, isProbe: Bool) {
        var first = 0
        repeat {
            let rows = nextRows(from: first)
            first = rows.upperBound
            // Outcomes with the last rows, since an outcome comes after its request.
            let isLast = first == batch.rows.count
            guard !rows.isEmpty || !unwritten.isEmpty || !batch.rejections.isEmpty || isProbe || isMarkDue else {
                break
            }
            write(rows, session, withLazy: isLast, isProbe: isProbe)
        } while first < batch.rows.count
    }

    /// The database is not there, or has no room: tells those who wait. Outcomes are kept until it has.
    private func refuseAll(_ problem: StorageProblem?) {
        guard let problem else { return }
        for row in batch.rows { failed(row, problem) }
        if !batch.rows.isEmpty { counters.withLockedValue { $0.failedCommits += 1 } }
        reports.send()
    }

    /// The rows of the next transaction.
    private func nextRows(from first: Int) -> Range<Int> {
        var end = first
        var bytes = 0
        while end < batch.rows.count, end - first < Self.rowsPerCommit, bytes < disk.shares.bytesPerCommit {
            bytes += batch.rows[end].request.body.byteCount
            end += 1
        }
        return first..<end
    }

    private var deadline: Int64 {
        let now = monotonicNanoseconds()
        if fullProblem != nil, filesProblem == nil, session != nil { return max(nextTry, now) }
        guard !health.isWritingBroken, let session else { return now + Self.probeInterval }
        return min(nextTick, max(session.retention.nextSlice, now))
    }

    // MARK: The low-water mark

    /// No request below it lacks its outcome.
    var lowWater: Int64 { open.lowest ?? largestID + 1 }

    var isMarkDue: Bool { monotonicNanoseconds() >= nextTick && lowWater != savedMark }

    /// - Returns: The mark that is saved once this is committed.
    func saveMarkIfDue(_ session: WriterSession) throws(SQLiteFailure) -> Int64 {
        guard isMarkDue else { return savedMark }
        let mark = lowWater
        session.saveMark.bind(1, mark)
        try session.saveMark.run()
        return mark
    }

    // MARK: Beside the rows

    private func run(_ job: WriterJob) {
        gate.enter()
        let result = Result {
            switch job.work {
            case .transaction(let body):
                let connection = try usableConnection()
                try connection.transaction { try body(connection) }
            case .plain(let body): try body(usableConnection())
            case .threadOnly(let body): body()
            }
        }
        gate.leave()
        switch result {
        case .success: job.done(nil)
        case .failure(let error): job.done(error)
        }
    }

    private func usableConnection() throws(QueueError) -> SQLiteConnection {
        guard filesProblem == nil, let session else {
            throw QueueError(.storage, filesProblem?.description ?? "no database is open")
        }
        return session.connection
    }

    private func maintain() {
        guard !health.isWritingBroken, let retention = session?.retention, retention.isDue else { return }
        removeSome(retention)
        // What was given back, or could not be held at the start.
        if !retention.isUnderWay { _ = disk.hold() }
    }

    /// Does a slice of retention.
    func removeSome(_ retention: Retention) {
        let passes = retention.passes
        gate.enter()
        defer { gate.leave() }
        do {
            let removed = try retention.slice(open: open, largestID: largestID)
            for name in removed.files { spool.remove(name: name) }
            if removed.requests > 0 { counters.withLockedValue { $0.requestsRemoved += removed.requests } }
            if retention.passes > passes { logger.debug("Retention has passed over the log") }
        } catch {
            let problem = (error as? SQLiteFailure)?.problem
            retention.failed(isFull: problem?.code == .full)
            if let problem { noteFull(problem) }
            logger.warning("Retention could not remove old rows", metadata: ["cause": "\(error)"])
        }
    }

    private func finish() {
        if !unwritten.isEmpty {
            logger.error(
                "Outcomes could not be written before the end; these requests will be told as interrupted",
                metadata: ["count": "\(unwritten.count)"]
            )
        }
        nextTick = 0
        if isMarkDue, filesProblem == nil, let session { write(0..<0, session, withLazy: false) }
        session = nil
    }
}

/// A number that one thread sets and others read.
final class SharedMark: Sendable {
    private let mark = Atomic<Int64>(0)

    var value: Int64 {
        get { mark.load(ordering: .relaxed) }
        set { mark.store(newValue, ordering: .relaxed) }
    }
}
