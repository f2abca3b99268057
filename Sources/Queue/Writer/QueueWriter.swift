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
    private var batch = WriterBatch()
    /// Outcomes that are not committed yet.
    private var unwritten: [PendingOutcome] = []
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
    private var spool: BodySpool { reopening.spool }
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

    // MARK: Committing

    /// Writes rows of the batch in one transaction, and tells their receivers.
    /// - Parameters:
    ///   - withLazy: The outcomes that wait and the batch's rejections too.
    ///   - isProbe: Tries whether there is room.
    private func write(_ rows: Range<Int>, _ session: WriterSession, withLazy: Bool, isProbe: Bool = false) {
        let started = monotonicNanoseconds()
        // Refused by a key: the transaction goes on without them.
        var refused: [Int: SQLiteFailure] = [:]
        gate.enter()
        let failure: SQLiteFailure?
        do throws(SQLiteFailure) {
            try session.begin.run()
            try writeRows(rows, session, &refused)
            if withLazy { try writeLazy(session) }
            if isProbe { try probe(session) }
            let mark = try saveMarkIfDue(session)
            try session.commit.run()
            savedMark = mark
            failure = nil
        } catch {
            if session.connection.isInTransaction { try? session.connection.execute("ROLLBACK") }
            failure = error
        }
        gate.leave()

        health.wrote(failure?.problem)
        let outcomes = withLazy ? unwritten.count : 0
        if let failure {
            for index in rows { failed(batch.rows[index], failure.problem) }
            noteFull(failure.problem)
        } else {
            session.retention.wrote(rows.reduce(0) { $0 + 1024 + Int64(batch.rows[$1].request.body.byteCount) })
            for index in rows { committed(batch.rows[index], refused[index]) }
            if withLazy {
                for index in unwritten.indices { open.remove(unwritten[index].outcome.id.rawValue) }
                unwritten.removeAll(keepingCapacity: true)
            }
            lowWaterMark.value = lowWater
        }
        // Counted before it is told, so that who was told finds it counted.
        count(rows, outcomes, rejections: withLazy ? batch.rejections.count : 0, since: started, failed: failure != nil)
        reports.send()
    }

    private func writeRows(
        _ rows: Range<Int>,
        _ session: WriterSession,
        _ refused: inout [Int: SQLiteFailure]
    ) throws(SQLiteFailure) {
        let unwrittenID = buffer.lastUnwritten
        // Whose own rows were refused in this transaction.
        var refusedIDs: Set<Int64> = []
        for index in rows {
            let row = batch.rows[index]
            do throws(SQLiteFailure) {
                guard !refusedIDs.contains(row.request.id.rawValue) else { throw SQLiteFailure.missingRequest }
                try write(row, session.statements, unwrittenID: unwrittenID)
            } catch {
                guard error.isConstraint else { throw error }
                refused[index] = error
                if row.number == 0 { refusedIDs.insert(row.request.id.rawValue) }
            }
        }
    }

    private func writeLazy(_ session: WriterSession) throws(SQLiteFailure) {
        let unwrittenID = buffer.lastUnwritten
        for index in unwritten.indices {
            let id = unwritten[index].outcome.id
            do throws(SQLiteFailure) {
                try session.statements.end(
                    unwritten[index].outcome,
                    milliseconds: unwritten[index].milliseconds,
                    isChecked: id.rawValue <= unwrittenID
                )
            } catch {
                guard error.isConstraint else { throw error }
                refuse(id, error)
            }
        }
        for pending in batch.rejections {
            do throws(SQLiteFailure) {
                try session.statements.reject(pending.rejection, id: pending.id, milliseconds: pending.milliseconds)
            } catch {
                guard error.isConstraint else { throw error }
                refuse(pending.id, error)
            }
        }
    }

    private func write(
        _ row: PendingRow,
        _ statements: RowStatements,
        unwrittenID: Int64
    ) throws(SQLiteFailure) {
        if row.number == 0 {
            // Rows come in the order of ids. Only one that was under way while a database with later ids took the place of ours is late.
            guard row.request.id.rawValue > largestID else { throw SQLiteFailure.lateRequest }
            try statements.insert(row.request, pod: row.pod, milliseconds: row.milliseconds)
            return
        }
        guard let pod = row.pod else { preconditionFailure("a dispatch goes to a pod") }
        if row.request.id.rawValue <= unwrittenID {
            try ensureRow(row.request, statements)
        }
        try statements.attempt(row.request.id, number: row.number, pod: pod, milliseconds: row.milliseconds)
    }

    /// Nothing is sent without its row: one that went with a database that was removed is written again, one whose commit failed is not.
    private func ensureRow(_ request: QueuedRequest, _ statements: RowStatements) throws(SQLiteFailure) {
        let hasRow = try statements.hasRow(request.id)
        guard open.contains(request.id.rawValue) else {
            // Inserted in this transaction; else the row is another's.
            guard hasRow, request.id.rawValue > largestID else { throw SQLiteFailure.missingRequest }
            return
        }
        if !hasRow { try statements.insert(request, pod: nil, milliseconds: request.acceptedMilliseconds) }
    }

    private func committed(_ row: PendingRow, _ refusal: SQLiteFailure?) {
        if let refusal {
            refuse(row.request.id, refusal)
            if row.number == 0 { forget(row) }
        } else if row.number == 0 {
            add(row.request.id)
        }
        reports.add(row, refusal?.problem)
    }

    private func failed(_ row: PendingRow, _ problem: StorageProblem) {
        if row.number == 0 { forget(row) }
        reports.add(row, problem)
    }

    private func add(_ id: RequestID) {
        largestID = max(largestID, id.rawValue)
        open.add(id.rawValue)
    }

    /// A request has no row: nothing may be written about it later, and its file goes.
    private func forget(_ row: PendingRow) {
        buffer.lastUnwritten = row.request.id.rawValue
        if case .spooled(let body) = row.request.body { discard(body) }
    }

    private func discard(_ body: SpooledBody) {
        // A replay shares the file of the request that it repeats. Where the database cannot tell, the next start removes it.
        guard let session else { return }
        if (try? session.statements.isNamed(file: body.name)) == false { spool.remove(body) }
    }

    private func refuse(_ id: RequestID, _ failure: SQLiteFailure) {
        counters.withLockedValue { $0.rowsRefused += 1 }
        logger.error("A row was refused by the database", metadata: ["request.id": "\(id)", "cause": "\(failure)"])
    }

    /// Whether there is room: takes and gives back as much as a large body, so that a commit tells.
    private func probe(_ session: WriterSession) throws(SQLiteFailure) {
        try session.connection.execute(
            """
            INSERT OR REPLACE INTO bodies (request, body) VALUES (0, zeroblob(262144));
            DELETE FROM bodies WHERE request = 0;
            """
        )
    }

    // MARK: The low-water mark

    /// No request below it lacks its outcome.
    var lowWater: Int64 { open.lowest ?? largestID + 1 }

    private var isMarkDue: Bool { monotonicNanoseconds() >= nextTick && lowWater != savedMark }

    /// - Returns: The mark that is saved once this is committed.
    private func saveMarkIfDue(_ session: WriterSession) throws(SQLiteFailure) -> Int64 {
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

    private func count(_ rows: Range<Int>, _ outcomes: Int, rejections: Int, since started: Int64, failed: Bool) {
        let inserts = rows.count { batch.rows[$0].number == 0 }
        let microseconds = Int(monotonicNanoseconds() - started) / 1000
        counters.withLockedValue { counters in
            counters.openRequests = open.count
            guard !failed else {
                counters.failedCommits += 1
                return
            }
            counters.commits += 1
            counters.requestsWritten += inserts
            counters.attemptsWritten += rows.count - inserts
            counters.outcomesWritten += outcomes
            counters.rejectionsWritten += rejections
            counters.batchSizes.record(rows.count + outcomes + rejections)
            counters.commitMicroseconds.record(microseconds)
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

extension SQLiteFailure {
    /// A dispatch of a request whose own row was not committed.
    fileprivate static let missingRequest = SQLiteFailure(constraint: "the request has no row, since its commit failed")
    /// A request whose id is not above all that have a row.
    fileprivate static let lateRequest = SQLiteFailure(
        constraint: "the request came before the database, whose requests have later ids"
    )
}

/// A number that one thread sets and others read.
final class SharedMark: Sendable {
    private let mark = Atomic<Int64>(0)

    var value: Int64 {
        get { mark.load(ordering: .relaxed) }
        set { mark.store(newValue, ordering: .relaxed) }
    }
}
