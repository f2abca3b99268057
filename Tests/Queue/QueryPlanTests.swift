import Core
import GRDB
import Testing

@testable import Queue

@Suite("Every query takes the way through the tables that it was written for")
struct QueryPlanTests {
    private func plan(_ test: TestQueue, _ sql: String, _ arguments: StatementArguments = []) async throws -> [String] {
        try await test.queue.log.read { db in
            try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN \(sql)", arguments: arguments).map { $0["detail"] }
        }
    }

    private func plan(_ test: TestQueue, _ filter: LogFilter) async throws -> [String] {
        let query = LogQuery(filter, before: RequestID(rawValue: 100), lowWater: 50, scanLimit: 20_000)
        return try await plan(test, query.sql, query.arguments)
    }

    @Test("a page goes down the rowids, without a sort")
    func page() async throws {
        let test = try TestQueue()
        var filter = LogFilter()
        filter.routeID = "default"
        filter.text = "x"
        filter.podID = "p"
        let plan = try await plan(test, filter)
        #expect(plan.contains("SEARCH requests USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"))
        #expect(plan.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"))
        #expect(plan.contains { $0.hasPrefix("SEARCH o USING INTEGER PRIMARY KEY (rowid=?)") })
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
        await test.close()
    }

    @Test("states other than completed are found by their index, several of them merged", arguments: [1, 3])
    func states(count: Int) async throws {
        let test = try TestQueue()
        var filter = LogFilter()
        filter.states = Set([RequestState.failed, .expired, .interrupted].prefix(count))
        let plan = try await plan(test, filter)
        let index = "SEARCH outcomes USING COVERING INDEX outcomes_not_completed (state=? AND request>? AND request<?)"
        #expect(plan.filter { $0 == index }.count == count, "\(plan)")
        #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(plan)")
        await test.close()
    }

    @Test("open requests are looked for above the low-water mark only")
    func open() async throws {
        let test = try TestQueue()
        var filter = LogFilter()
        filter.states = [.queued]
        let query = LogQuery(filter, before: nil, lowWater: 50, scanLimit: 20_000)
        #expect(query.sql.contains("id >= :low"))
        #expect(
            try await plan(test, filter).contains("SEARCH requests USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)")
        )
        await test.close()
    }

    @Test("a page of changes goes down the rowids, and the oldest are found by them")
    func changes() async throws {
        let test = try TestQueue()
        let byRowid = "SEARCH changes USING INTEGER PRIMARY KEY (rowid<?)"
        #expect(try await plan(test, ChangeLog.page, [100, 50]) == [byRowid])
        #expect(try await plan(test, ChangeLog.trim, [100]).first == byRowid)
        await test.close()
    }

    @Test("one request, its replays, its files and old rows are found by keys")
    func keys() async throws {
        let test = try TestQueue()
        let scans: [(String, StatementArguments)] = [
            (LogSummary.sql, [1]),
            ("SELECT id FROM requests WHERE replay_of = ? ORDER BY id", [1]),
            ("SELECT 1 FROM bodies WHERE file = ?1", ["a"]),
            (Retention.findEnded, [0, 1, 2]),
            ("SELECT max(id) FROM requests", []),
            ("SELECT number, pod, at FROM attempts WHERE request = ? ORDER BY number", [1]),
        ]
        for (sql, arguments) in scans {
            let plan = try await plan(test, sql, arguments)
            #expect(!plan.contains { $0.hasPrefix("SCAN") || $0.contains("TEMP B-TREE") }, "\(sql): \(plan)")
        }
        await test.close()
    }
}
