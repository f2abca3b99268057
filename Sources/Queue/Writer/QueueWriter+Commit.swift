import Core
import Logging
import NIOConcurrencyHelpers

/// One transaction: what goes into it, and what is told of it.
extension QueueWriter {
    /// Writes rows of the batch in one transaction, and tells their receivers.
    /// - Parameters:
    ///   - withLazy: The outcomes that wait and the batch's rejections too.
    ///   - isProbe: Tries whether there is room.
    func write(_ rows: Range<Int>, _ session: WriterSession, withLazy: Bool, isProbe: Bool = false) {
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

    func failed(_ row: PendingRow, _ problem: StorageProblem) {
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

    func discard(_ body: SpooledBody) {
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
}

extension SQLiteFailure {
    /// A dispatch of a request whose own row was not committed.
    fileprivate static let missingRequest = SQLiteFailure(constraint: "the request has no row, since its commit failed")
    /// A request whose id is not above all that have a row.
    fileprivate static let lateRequest = SQLiteFailure(
        constraint: "the request came before the database, whose requests have later ids"
    )
}
