package import Core
import GRDB

/// The requests that a filter chooses up to a fixed one, oldest first: what a bulk replay or a purge is about.
package struct LogSelection: Sendable {
    package var filter: LogFilter
    /// The largest id that may be among them.
    package var upper: RequestID

    package init(filter: LogFilter, upper: RequestID) {
        self.filter = filter
        self.upper = upper
    }

    func query(after: Int64, scanLimit: Int) -> LogQuery {
        let before = upper.rawValue == .max ? upper : RequestID(rawValue: upper.rawValue + 1)
        return LogQuery(filter, before: before, after: after, lowWater: 0, scanLimit: scanLimit, order: .oldestFirst)
    }
}

/// What a selection has in it.
package struct LogCensus: Sendable {
    /// How many there are of those that the same decides about, whose id is of one of them.
    package var groups: [(facts: ReplayFacts, count: Int)] = []
    /// Whether all of it was looked at.
    package var isComplete = false

    package var matching: Int { groups.reduce(0) { $0 + $1.count } }
}

extension RequestLog {
    /// Rows that a census looks at between two looks at the clock.
    private static let censusRows = 5000
    /// How long a dry run counts: some two million rows. It is asked for seldom and reads in parts, so nobody waits for it.
    package static let dryRunBudget = Duration.seconds(2)

    /// The largest id that is committed; 0 for none.
    package func largestID() async throws -> RequestID {
        try await read { RequestID(rawValue: try Int64.fetchOne($0, sql: "SELECT max(id) FROM requests") ?? 0) }
    }

    /// The next ids of a selection. Looks at 20,000 rows at most.
    /// - Returns: Also how far was looked, and whether there is nothing more.
    func ids(
        of selection: LogSelection,
        after: Int64,
        limit: Int
    ) async throws -> (ids: [Int64], scannedTo: Int64, isLast: Bool) {
        let query = selection.query(after: after, scanLimit: scanLimit)
        let scanLimit = scanLimit
        return try await read { db in
            let (ids, scanned, last) = try query.ids(db, limit: limit)
            let isCut = ids.count >= limit || scanned >= scanLimit
            return (ids, isCut ? last ?? after : max(after, selection.upper.rawValue), !isCut)
        }
    }

    /// What a selection has in it, as far as that can be counted in a moment.
    /// - Parameter budget: No further part is looked at after this.
    package func census(
        _ selection: LogSelection,
        within budget: Duration = .milliseconds(25)
    ) async throws -> LogCensus {
        let partLimit = min(scanLimit, Self.censusRows)
        var counts: [ReplayFacts: (id: RequestID, count: Int)] = [:]
        var after: Int64 = 0
        let start = ContinuousClock.now
        while true {
            let query = selection.query(after: after, scanLimit: partLimit)
            let part = try await read { try query.census($0) }
            for (facts, count) in part.groups {
                var key = facts
                key.id = RequestID(rawValue: 0)
                counts[key] = (facts.id, (counts[key]?.count ?? 0) + count)
            }
            let isLast = part.scanned < partLimit
            guard !isLast, let last = part.last, ContinuousClock.now - start < budget else {
                let groups = counts.map { key, value in
                    var facts = key
                    facts.id = value.id
                    return (facts: facts, count: value.count)
                }
                return LogCensus(groups: groups, isComplete: isLast)
            }
            after = last
        }
    }

    /// The first of a selection, as far as they are found in a moment.
    package func first(
        _ count: Int,
        of selection: LogSelection,
        within budget: Duration = .milliseconds(10)
    ) async throws -> [LogSummary] {
        var found: [LogSummary] = []
        var after: Int64 = 0
        let start = ContinuousClock.now
        while true {
            let query = selection.query(after: after, scanLimit: scanLimit)
            let limit = count - found.count
            let (part, scanned, last) = try await read { db in
                let (ids, scanned, last) = try query.ids(db, limit: limit)
                return (try ids.compactMap { try LogSummary.fetch(db, id: $0) }, scanned, last)
            }
            found += part
            guard found.count < count, scanned == scanLimit, let last, ContinuousClock.now - start < budget else {
                return found
            }
            after = last
        }
    }
}
