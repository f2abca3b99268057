package import Core
import Foundation
import GRDB

/// What became of a job's replays, kept up as they end: what it costs to know grows with those that are open, not with those that passed.
package struct ReplayTally: Sendable, Equatable {
    /// A replay that has not ended.
    package struct Open: Sendable, Equatable {
        package var source: Int64
        package var isDispatched: Bool
    }

    /// Rows up to here are known.
    package private(set) var counted: Int64 = 0
    /// By id.
    package private(set) var open: [Int64: Open] = [:]
    /// Of those that have ended, but for `again`.
    package private(set) var results = ReplayResults()
    /// Sources whose last replay was abandoned: no pod ever saw it, so they are sent again.
    package private(set) var again: Set<Int64> = []

    package init() {}

    package var waiting: Int { open.values.count { !$0.isDispatched } }

    /// One row of the job as it is now.
    package struct Row: Sendable, Equatable {
        package var id: Int64
        package var source: Int64
        package var state: RequestState
        /// Whether a pod answered 500 or above.
        package var isServerError: Bool

        package init(id: Int64, source: Int64, state: RequestState, isServerError: Bool = false) {
            self.id = id
            self.source = source
            self.state = state
            self.isServerError = isServerError
        }
    }

    /// What a look at the rows found.
    package struct Change: Sendable, Equatable {
        /// Oldest first: those that were open, then new ones.
        package var rows: [Row]
        /// Those that were open and are gone: ended, and removed since.
        package var gone: [Int64]
        /// Whether there may be more new ones.
        package var isCut: Bool

        package init(rows: [Row], gone: [Int64] = [], isCut: Bool = false) {
            self.rows = rows
            self.gone = gone
            self.isCut = isCut
        }
    }

    package mutating func apply(_ change: Change) {
        for id in change.gone { open[id] = nil }
        for row in change.rows {
            counted = max(counted, row.id)
            // Whatever became of the one before it, this is the source's replay now.
            again.remove(row.source)
            open[row.id] = nil
            switch row.state {
            case .queued: open[row.id] = Open(source: row.source, isDispatched: false)
            case .dispatched: open[row.id] = Open(source: row.source, isDispatched: true)
            case .completed:
                results.completed += 1
                if row.isServerError { results.serverErrors += 1 }
            case .interrupted: results.interrupted += 1
            case .abandoned: again.insert(row.source)
            case .failed, .expired, .cancelled, .rejected: results.failed += 1
            }
        }
    }

    /// Takes up to `count` sources that are to be sent again, the oldest first.
    package mutating func takeAgain(_ count: Int) -> [Int64] {
        guard !again.isEmpty, count > 0 else { return [] }
        let taken = Array(again.sorted().prefix(count))
        again.subtract(taken)
        return taken
    }

    /// Puts back what was not sent after all.
    package mutating func putBack(_ sources: [Int64]) { again.formUnion(sources) }

    /// Nothing is sent again any more.
    package mutating func giveUp() {
        results.failed += again.count
        again = []
    }
}

extension RequestLog {
    /// Rows that one look takes in.
    package static let tallyRows = 2000

    /// What is new of a job's rows since a tally: at most 2,000 new ones, and all that were open.
    package func replayRows(of job: ReplayJobID, since tally: ReplayTally) async throws -> ReplayTally.Change {
        let ids = Set(tally.open.keys)
        let open = "[\(ids.map(String.init).joined(separator: ","))]"
        let counted = tally.counted
        return try await read { db in
            func rows(_ sql: String, _ arguments: StatementArguments) throws -> [ReplayTally.Row] {
                try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments).map { row in
                    ReplayTally.Row(
                        id: row[0],
                        source: row[1] ?? 0,
                        state: RequestState(rawValue: row[2]) ?? .failed,
                        isServerError: row[3]
                    )
                }
            }
            let known = try ids.isEmpty ? [] : rows(ReplayTally.openSQL, [open])
            let new = try rows(ReplayTally.newSQL, [job.rawValue, counted, Self.tallyRows])
            return ReplayTally.Change(
                rows: known + new,
                gone: Array(ids.subtracting(known.map(\.id))),
                isCut: new.count == Self.tallyRows
            )
        }
    }
}

extension ReplayTally {
    private static let columns =
        "r.id, r.replay_of, coalesce(o.state, \(LogSummary.openState)), coalesce(o.status >= 500, 0)"

    /// The rows of given ids, a JSON array.
    static let openSQL = """
        SELECT \(columns) FROM json_each(?) AS i CROSS JOIN requests AS r ON r.id = i.value LEFT JOIN outcomes o ON o.request = r.id
        ORDER BY r.id
        """
    /// The next rows of a job.
    static let newSQL = """
        SELECT \(columns) FROM requests r LEFT JOIN outcomes o ON o.request = r.id
        WHERE r.replay_job = ? AND r.id > ? ORDER BY r.id LIMIT ?
        """
}
