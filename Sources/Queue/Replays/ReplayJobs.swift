import Core
import Foundation
import GRDB
import NIOConcurrencyHelpers

/// Bulk replays as they are kept in the database: an operator's words and the state they are in, so that they go on after a restart.
///
/// Durable when a call returns; written in the order of the calls.
package final class ReplayJobs: Sendable {
    /// Jobs that are remembered, those that have not ended aside.
    private static let remembered = 1000

    private let buffer: WriterBuffer
    private let log: RequestLog
    /// Those whose replays had not all ended when the queue was opened, the oldest first.
    package let unfinished: [ReplayJob]

    /// - Parameter connection: The writer's, before its thread has it.
    init(_ connection: SQLiteConnection, buffer: WriterBuffer, log: RequestLog) throws {
        self.buffer = buffer
        self.log = log
        // The values of supplied fields were in memory, and went with it.
        try connection.execute(
            """
            UPDATE replay_jobs SET state = \(ReplayJob.State.paused.rawValue),
                detail = 'the gateway was restarted, and the values of the fields that were supplied ('
                    || replace(supplied, char(10), ', ') || ') were in memory only: resume with them in `headers`'
            WHERE state = \(ReplayJob.State.running.rawValue) AND supplied <> '' AND ended_at IS NULL
            """
        )
        unfinished = try log.readNow { try Self.fetch($0, "WHERE ended_at IS NULL ORDER BY id") }
    }

    // MARK: Writing

    /// Makes a job, which is running.
    /// - Throws: ``QueueError``.
    package func create(_ draft: ReplayJobDraft) async throws -> ReplayJob {
        let filter = String(decoding: try JSONEncoder().encode(draft.filter), as: UTF8.self)
        let milliseconds = wallClockMilliseconds()
        let id = NIOLockedValueBox<Int64>(0)
        try await write { connection in
            let insert = try connection.prepare(
                """
                INSERT INTO replay_jobs (created_at, filter, rate, "limit", confirmed, supplied, upper, matching, complete)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                """
            )
            insert.bind(1, milliseconds)
            insert.bind(2, filter)
            insert.bind(3, real: draft.rate)
            insert.bind(4, Int64(draft.limit))
            insert.bind(5, Int64(draft.isConfirmed ? 1 : 0))
            insert.bind(6, draft.suppliedNames.joined(separator: "\n"))
            insert.bind(7, draft.upper.rawValue)
            insert.bind(8, Int64(draft.matching))
            insert.bind(9, Int64(draft.isMatchingComplete ? 1 : 0))
            try insert.run()
            let new = try connection.integer("SELECT last_insert_rowid()") ?? 0
            try connection.execute(
                "DELETE FROM replay_jobs WHERE id <= \(new - Int64(Self.remembered)) AND ended_at IS NOT NULL"
            )
            id.withLockedValue { $0 = new }
        }
        return ReplayJob(
            id: ReplayJobID(rawValue: id.withLockedValue { $0 }),
            createdMilliseconds: milliseconds,
            filter: draft.filter,
            rate: draft.rate,
            limit: draft.limit,
            isConfirmed: draft.isConfirmed,
            suppliedNames: draft.suppliedNames,
            upper: draft.upper,
            matching: draft.matching,
            isMatchingComplete: draft.isMatchingComplete,
            state: .running,
            detail: nil,
            progress: ReplayProgress(),
            results: nil,
            endedMilliseconds: nil
        )
    }

    /// Writes how far a job came.
    package func save(_ progress: ReplayProgress, of id: ReplayJobID) async throws {
        let skipped = String(decoding: try JSONEncoder().encode(progress.skipped), as: UTF8.self)
        try await write { connection in
            let update = try connection.prepare(
                "UPDATE replay_jobs SET cursor = ?2, made = ?3, skipped = ?4 WHERE id = ?1"
            )
            update.bind(1, id.rawValue)
            update.bind(2, progress.cursor)
            update.bind(3, Int64(progress.made))
            update.bind(4, skipped)
            try update.run()
        }
    }

    /// Moves a job that runs or is paused to another state.
    /// - Parameter supplied: The names of fields that were supplied now; nil where they stay.
    /// - Returns: False where it neither runs nor is paused (any more).
    package func move(_ id: ReplayJobID, to state: ReplayJob.State, supplied: [String]? = nil) async throws -> Bool {
        let hasMoved = NIOLockedValueBox(false)
        try await write { connection in
            let update = try connection.prepare(
                """
                UPDATE replay_jobs SET state = ?2, detail = NULL, supplied = coalesce(?3, supplied)
                WHERE id = ?1 AND state IN (0, 1)
                """
            )
            update.bind(1, id.rawValue)
            update.bind(2, Int64(state.rawValue))
            if let supplied { update.bind(3, supplied.joined(separator: "\n")) } else { update.bindNull(3) }
            try update.run()
            let count = connection.changes
            hasMoved.withLockedValue { $0 = count > 0 }
        }
        return hasMoved.withLockedValue { $0 }
    }

    /// The last of a job's replays has ended: `finished`, unless it was cancelled.
    /// - Returns: When.
    package func end(_ id: ReplayJobID, progress: ReplayProgress, results: ReplayResults) async throws -> Int64 {
        try await save(progress, of: id)
        let text = String(decoding: try JSONEncoder().encode(results), as: UTF8.self)
        let milliseconds = wallClockMilliseconds()
        try await write { connection in
            let update = try connection.prepare(
                """
                UPDATE replay_jobs SET ended_at = ?2, results = ?3, detail = NULL, state = CASE state WHEN 3 THEN 3 ELSE 2 END
                WHERE id = ?1
                """
            )
            update.bind(1, id.rawValue)
            update.bind(2, milliseconds)
            update.bind(3, text)
            try update.run()
        }
        return milliseconds
    }

    private func write(_ body: @escaping @Sendable (SQLiteConnection) throws -> Void) async throws {
        do {
            try await buffer.perform(body)
        } catch let failure as SQLiteFailure {
            throw QueueError(.storage, "the replay job cannot be written", cause: failure)
        }
    }

    // MARK: Reading

    /// The newest first.
    package func newest(_ count: Int) async throws -> [ReplayJob] {
        try await fetch("ORDER BY id DESC LIMIT \(count)")
    }

    package func job(_ id: ReplayJobID) async throws -> ReplayJob? {
        try await fetch("WHERE id = \(id.rawValue)").first
    }

    private func fetch(_ clause: String) async throws -> [ReplayJob] {
        try await log.read { try Self.fetch($0, clause) }
    }

    /// Without those that this program cannot read: a newer one wrote what it does not know.
    private static func fetch(_ db: Database, _ clause: String) throws -> [ReplayJob] {
        try Row.fetchAll(db, sql: "SELECT * FROM replay_jobs \(clause)").compactMap { try? ReplayJob($0) }
    }
}

extension ReplayJob {
    fileprivate init(_ row: Row) throws {
        let decoder = JSONDecoder()
        id = ReplayJobID(rawValue: row["id"])
        createdMilliseconds = row["created_at"]
        filter = try decoder.decode(LogFilter.self, from: Data((row["filter"] as String).utf8))
        rate = row["rate"]
        limit = row["limit"]
        isConfirmed = row["confirmed"]
        suppliedNames = (row["supplied"] as String?).withheldNames
        upper = RequestID(rawValue: row["upper"])
        matching = row["matching"]
        isMatchingComplete = row["complete"]
        state = State(rawValue: row["state"]) ?? .cancelled
        detail = row["detail"]
        progress = ReplayProgress()
        progress.cursor = row["cursor"]
        progress.made = row["made"]
        progress.skipped = try decoder.decode([String: Int].self, from: Data((row["skipped"] as String).utf8))
        results = try (row["results"] as String?).map {
            try decoder.decode(ReplayResults.self, from: Data($0.utf8))
        }
        endedMilliseconds = row["ended_at"]
    }
}
