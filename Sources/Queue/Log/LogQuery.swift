import Core
import GRDB

/// A filter as SQL: which rows are looked at, and which of them match.
///
/// Rows are looked at in the order of ids, newest first, and the conditions are worked out for each; none has an index of its
/// own, as that would cost every insert. What is rare has one: states other than `completed`, and open requests, which are all
/// above the low-water mark.
struct LogQuery: Sendable {
    private let filter: LogFilter
    private let before: Int64
    private let since: Int64
    private let lowWater: Int64
    private let scanLimit: Int

    init(_ filter: LogFilter, before: RequestID?, lowWater: Int64, scanLimit: Int) {
        self.filter = filter
        self.lowWater = lowWater
        self.scanLimit = scanLimit
        let until = filter.untilMilliseconds.map { RequestID.lowest(atMilliseconds: $0).rawValue } ?? .max
        self.before = min(before?.rawValue ?? .max, until)
        since = filter.sinceMilliseconds.map { RequestID.lowest(atMilliseconds: $0).rawValue } ?? 0
    }

    // MARK: Running

    func page(_ db: Database, limit: Int) throws -> LogPage {
        // Whoever looks for an id gets that request, not what has it in its path.
        if let text = filter.text, let id = RequestID(text), let summary = try LogSummary.fetch(db, id: id.rawValue) {
            return LogPage(entries: id.rawValue < before ? [summary] : [], next: nil, scanned: 1)
        }
        var ids: [Int64] = []
        let (scanned, last) = try scan(db) { id in
            ids.append(id)
            return ids.count < limit
        }
        let entries = try ids.compactMap { try LogSummary.fetch(db, id: $0) }
        let isCut = ids.count >= limit || scanned >= scanLimit
        return LogPage(entries: entries, next: isCut ? last.map(RequestID.init(rawValue:)) : nil, scanned: scanned)
    }

    func count(_ db: Database) throws -> LogCount {
        var matching = 0
        let (scanned, last) = try scan(db) { _ in
            matching += 1
            return true
        }
        return LogCount(
            matching: matching,
            scanned: scanned,
            next: scanned >= scanLimit ? last.map(RequestID.init(rawValue:)) : nil
        )
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

    /// Id, and whether it matches, of the rows that are looked at; newest first.
    ///
    /// `CROSS JOIN` keeps the candidates outermost (https://sqlite.org/lang_select.html#crossjoin), and so their order, without
    /// a sort: the first rows come before the last are looked at.
    var sql: String {
        """
        SELECT c.id, \(conditions.isEmpty ? "1" : conditions.joined(separator: " AND "))
        FROM (\(candidates)) AS c CROSS JOIN requests AS r ON r.id = c.id LEFT JOIN outcomes AS o ON o.request = c.id
        """
    }

    var arguments: StatementArguments {
        var arguments: [String: (any DatabaseValueConvertible)?] = [
            "before": before, "since": since, "scan": scanLimit,
        ]
        if isOpenOnly { arguments["low"] = max(lowWater, since) }
        if let routeID = filter.routeID { arguments["route"] = routeID }
        if let podID = filter.podID { arguments["pod"] = podID }
        if let statuses = filter.statuses {
            arguments["statusFrom"] = statuses.lowerBound
            arguments["statusTo"] = statuses.upperBound
        }
        if let pattern { arguments["text"] = pattern }
        return StatementArguments(arguments)
    }

    /// The ids that are looked at.
    private var candidates: String {
        if let indexed = indexedStates {
            let parts = indexed.map { state in
                """
                SELECT request AS id FROM outcomes
                WHERE state = \(state.rawValue) AND state <> \(RequestState.completed.rawValue)
                    AND request < :before AND request >= :since
                """
            }
            return parts.joined(separator: " UNION ALL ") + " ORDER BY id DESC LIMIT :scan"
        }
        let low = isOpenOnly ? ":low" : ":since"
        return """
            SELECT id FROM requests WHERE id < :before AND id >= \(low) AND :since >= 0 ORDER BY id DESC LIMIT :scan
            """
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
        if filter.routeID != nil { conditions.append("r.route = :route") }
        if filter.statuses != nil { conditions.append("o.status BETWEEN :statusFrom AND :statusTo") }
        if filter.podID != nil { conditions.append("\(LogSummary.pod) = :pod") }
        if pattern != nil {
            conditions.append(
                """
                (r.target LIKE :text ESCAPE '\\' OR o.reason LIKE :text ESCAPE '\\' OR \(LogSummary.pod) LIKE :text ESCAPE '\\')
                """
            )
        }
        return conditions
    }

    private var pattern: String? {
        guard let text = filter.text, !text.isEmpty else { return nil }
        var pattern = "%"
        for character in text {
            if "%_\\".contains(character) { pattern.append("\\") }
            pattern.append(character)
        }
        return pattern + "%"
    }
}
