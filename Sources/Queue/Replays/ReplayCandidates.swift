package import Core
import GRDB

/// A part of a selection.
package struct ReplayCandidates: Sendable {
    /// In the order of ids.
    package var sources: [ReplayCandidate]
    /// Everything of the selection up to here was looked at.
    package var scannedTo: Int64
    /// Whether there is nothing more.
    package var isLast: Bool
}

/// A request of a selection, as a job finds it.
package struct ReplayCandidate: Sendable {
    package var facts: ReplayFacts
    /// Whether the job has a row for it: made before a crash, or by a hand-over whose end was not heard of.
    package var isMade: Bool
}

extension RequestLog {
    /// The next requests of a selection, for a job that has come as far as `after`. Looks at 20,000 rows at most.
    package func replayCandidates(
        _ selection: LogSelection,
        job: ReplayJobID,
        after: Int64,
        limit: Int
    ) async throws -> ReplayCandidates {
        let query = selection.query(after: after, scanLimit: scanLimit)
        let scanLimit = scanLimit
        return try await read { db in
            let (ids, scanned, last) = try query.ids(db, limit: limit)
            let made = try db.cachedStatement(sql: ReplayCandidate.sql)
            let sources = try ids.compactMap { id -> ReplayCandidate? in
                guard let facts = try ReplayFacts.fetch(db, id: id) else { return nil }
                let isMade = try Bool.fetchOne(made, arguments: [id, job.rawValue]) ?? false
                return ReplayCandidate(facts: facts, isMade: isMade)
            }
            let isCut = ids.count >= limit || scanned >= scanLimit
            let scannedTo = isCut ? last ?? after : max(after, selection.upper.rawValue)
            return ReplayCandidates(sources: sources, scannedTo: scannedTo, isLast: !isCut)
        }
    }

    /// What is needed to send requests again, in the order of `ids`, without those that are gone.
    package func replaySources(_ ids: [RequestID]) async throws -> [ReplaySource] {
        let spool = spool
        return try await read { db in try ids.compactMap { try ReplaySource.fetch(db, id: $0, spool: spool) } }
    }
}

extension ReplayCandidate {
    /// Whether a job has a row for a request: found by the few replays that the request has, not by the many of the job (hence `+`).
    static let sql = "SELECT EXISTS (SELECT 1 FROM requests p WHERE p.replay_of = ? AND +p.replay_job = ?)"
}
