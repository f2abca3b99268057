import Core
import GRDB

/// A filter as SQL: which rows are looked at, and which of them match.
///
/// Rows are looked at in the order of ids, newest first, and the conditions are worked out for each; none has an index of its
/// own, as that would cost every insert. What is rare has one: states other than `completed`, and open requests, which are all
/// above the low-water mark.
struct LogQuery: Sendable {
    /// In which order rows are looked at.
    enum Order: String, Sendable {
        case newestFirst = "DESC"
        case oldestFirst = "ASC"
    }

    private let filter: LogFilter
    private let before: Int64
    private let since: Int64
    private let lowWater: Int64
    private let scanLimit: Int
    private let order: Order

    /// - Parameters:
    ///   - before: Only ids below it.
    ///   - after: Only ids above it.
    init(
        _ filter: LogFilter,
        before: RequestID?,
        after: Int64 = -1,
        lowWater: Int64,
        scanLimit: Int,
        order: Order = .newestFirst
    ) {
        self.filter = filter
        self.lowWater = lowWater
        self.scanLimit = scanLimit
        self.order = order
        let until = filter.untilMilliseconds.map { RequestID.lowest(atMilliseconds: $0).rawValue } ?? .max
        let lowest = filter.sinceMilliseconds.map { RequestID.lowest(atMilliseconds: $0).rawValue } ?? 0
        let from = after == .max ? .max : max(lowest, after + 1)
        // Whoever looks for an id gets that request, not what has it in its path: no other row is looked at.
        let id = filter.text.flatMap { RequestID($0)?.rawValue }
        self.before = min(before?.rawValue ?? .max, until, id.map { $0 == .max ? .max : $0 + 1 } ?? .max)
        since = max(from, id ?? 0)
    }

    // MARK: Running

    func page(_ db: Database, limit: Int) throws -> LogPage {
        let (ids, scanned, last) = try ids(db, limit: limit)
        let entries = try ids.compactMap { try LogSummary.fetch(db, id: $0) }
        let isCut = ids.count >= limit || scanned >= scanLimit
        return LogPage(entries: entries, next: isCut ? last.map(RequestID.init(rawValue:)) : nil, scanned: scanned)
    }

    /// The first ids that match; how many rows were looked at, and the last of them.
    func ids(_ db: Database, limit: Int) throws -> (ids: [Int64], scanned: Int, last: Int64?) {
        var ids: [Int64] = []
        let (scanned, last) = try scan(db) { id in
            ids.append(id)
            return ids.count < limit
        }
        return (ids, scanned, last)
    }

    /// What decides about the matches, and how many are alike; how many rows were looked at, and the last of them.
    func census(_ db: Database) throws -> (groups: [(facts: ReplayFacts, count: Int)], scanned: Int, last: Int64?) {
        let sql = """
            SELECT coalesce(o.state, \(LogSummary.openState)), r.method, r.withheld, \(ReplayFacts.bodyMissing),
                \(ReplayFacts.replayed), max(c.id), count(*)
            FROM \(tables) WHERE \(match) GROUP BY 1, 2, 3, 4, 5
            """
        let groups = try Row.fetchAll(db, sql: sql, arguments: arguments).map { row in
            let facts = ReplayFacts(
                id: RequestID(rawValue: row[5]),
                state: RequestState(rawValue: row[0]) ?? .failed,
                method: RequestMethod(rawValue: row[1]),
                withheld: (row[2] as String?).withheldNames,
                isBodyMissing: row[3],
                isReplayed: row[4]
            )
            return (facts: facts, count: row[6] as Int)
        }
        let last = order == .oldestFirst ? "max" : "min"
        let seen = try Row.fetchOne(
            db,
            sql: "SELECT count(*), \(last)(id) FROM (\(candidates))",
            arguments: candidateArguments
        )
        return (groups, seen?[0] ?? 0, seen?[1])
    }

    /// Calls `found` for each match until it answers false.
    /// - Returns: How many rows were looked at, and the last of them.
    private func scan(_ db: Database, found: (Int64) -> Bool) throws -> (scanned: Int, last: Int64?) {
        var scanned = 0
        var last: Int64?
        let rows = try Row.fetchCursor(db, sql: sql, arguments: arguments)
        while let row = try rows.next() {
            let id: Int64 = row[0]
            scanned += 1
            last = id
            if row[1] as Bool? == true, !found(id) { break }
        }
        return (scanned, last)
    }

    // MARK: SQL

    /// Id, and whether it matches, of the rows that are looked at, in order.
    ///
    /// `CROSS JOIN` keeps the candidates outermost (https://sqlite.org/lang_select.html#crossjoin), and so their order, without
    /// a sort: the first rows come before the last are looked at.
    var sql: String { "SELECT c.id, \(match) FROM \(tables)" }

    /// Whether a row matches.
    private var match: String { conditions.isEmpty ? "1" : conditions.joined(separator: " AND ") }

    private var tables: String {
        "(\(candidates)) AS c CROSS JOIN requests AS r ON r.id = c.id LEFT JOIN outcomes AS o ON o.request = c.id"
    }

    var arguments: StatementArguments {
        var arguments = candidateValues
        if filter.replayOf != nil, let job = filter.replayJob { arguments["job"] = job.rawValue }
        if let routeID = filter.routeID { arguments["route"] = routeID }
        if let podID = filter.podID { arguments["pod"] = podID }
        if let statuses = filter.statuses {
            arguments["statusFrom"] = statuses.lowerBound
            arguments["statusTo"] = statuses.upperBound
        }
        if let pattern { arguments["text"] = pattern }
        return StatementArguments(arguments)
    }

    private var candidateArguments: StatementArguments { StatementArguments(candidateValues) }

    /// What ``candidates`` name.
    private var candidateValues: [String: (any DatabaseValueConvertible)?] {
        var values: [String: (any DatabaseValueConvertible)?] = ["before": before, "since": since, "scan": scanLimit]
        if let replayOf = filter.replayOf {
            values["replayOf"] = replayOf.rawValue
        } else if let job = filter.replayJob {
            values["job"] = job.rawValue
        } else if isOpenOnly {
            values["low"] = max(lowWater, since)
        }
        return values
    }

    /// The ids that are looked at.
    private var candidates: String {
        let end = "ORDER BY id \(order.rawValue) LIMIT :scan"
        // A request has few replays, a job as many as it made: both are found by their index, in the order of ids.
        if filter.replayOf != nil {
            return "SELECT id FROM requests WHERE replay_of = :replayOf AND id < :before AND id >= :since \(end)"
        }
        if filter.replayJob != nil {
            return "SELECT id FROM requests WHERE replay_job = :job AND id < :before AND id >= :since \(end)"
        }
        if let indexed = indexedStates {
            let parts = indexed.map { state in
                """
                SELECT request AS id FROM outcomes
                WHERE state = \(state.rawValue) AND state <> \(RequestState.completed.rawValue)
                    AND request < :before AND request >= :since
                """
            }
            return parts.joined(separator: " UNION ALL ") + " \(end)"
        }
        let low = isOpenOnly ? ":low" : ":since"
        return "SELECT id FROM requests WHERE id < :before AND id >= \(low) AND :since >= 0 \(end)"
    }

    /// The states to look for where the index of `outcomes` has all of them.
    private var indexedStates: [RequestState]? {
        var states = filter.states
        if states.isEmpty, !filter.reasons.isEmpty, !filter.reasons.contains(.ok) {
            states = Set(RequestState.allCases.filter { $0.isTerminal && $0 != .completed })
        }
        guard !states.isEmpty, states.allSatisfy({ $0.isTerminal && $0 != .completed }) else { return nil }
        return states.sorted { $0.rawValue < $1.rawValue }
    }

    private var isOpenOnly: Bool {
        !filter.states.isEmpty && filter.states.allSatisfy { !$0.isTerminal }
    }

    private var conditions: [String] {
        var conditions: [String] = []
        if !filter.states.isEmpty {
            let states = filter.states.map { String($0.rawValue) }.sorted().joined(separator: ", ")
            conditions.append("coalesce(o.state, \(LogSummary.openState)) IN (\(states))")
        }
        if !filter.reasons.isEmpty {
            // Names of our own, without quotes in them.
            let reasons = filter.reasons.map { "'\($0.rawValue)'" }.sorted().joined(separator: ", ")
            conditions.append("o.reason IN (\(reasons))")
        }
        if filter.replayOf != nil, filter.replayJob != nil { conditions.append("r.replay_job = :job") }
        if filter.routeID != nil { conditions.append("r.route = :route") }
        if filter.statuses != nil { conditions.append("o.status BETWEEN :statusFrom AND :statusTo") }
        if filter.podID != nil { conditions.append("\(LogSummary.pod) = :pod") }
        if let id = filter.text.flatMap({ RequestID($0) }) {
            conditions.append("c.id = \(id.rawValue)")
        } else if pattern != nil {
            conditions.append(
                """
                (r.target LIKE :text ESCAPE '\\' OR o.reason LIKE :text ESCAPE '\\' OR \(LogSummary.pod) LIKE :text ESCAPE '\\')
                """
            )
        }
        return conditions
    }

    private var pattern: String? {
        guard let text = filter.text, !text.isEmpty, RequestID(text) == nil else { return nil }
        var pattern = "%"
        for character in text {
            if "%_\\".contains(character) { pattern.append("\\") }
            pattern.append(character)
        }
        return pattern + "%"
    }
}
