import Core
import Testing

@testable import Queue

@Suite("What operators set is kept, and every change of it recorded with it")
struct SettingsTests {
    private static let author = ChangeAuthor(name: "admin", client: "192.0.2.7")

    @Test("values are kept over a restart, and given back")
    func keeps() async throws {
        let test = try TestQueue()
        #expect(test.queue.settings.controls == OperatorControls())
        let changes: [ControlChange] = [
            .holdTimeout(.milliseconds(12_500), route: "POST /infer"), .holdTimeout(.seconds(1), route: "default"),
            .maxConcurrency(3, route: "POST /infer"), .pause(route: "default"), .pause(route: nil),
        ]
        try await test.queue.settings.apply(changes, by: Self.author)
        try await test.queue.settings.apply([.holdTimeout(nil, route: "default")], by: Self.author)
        await test.close()

        var expected = OperatorControls()
        expected.holdTimeouts = ["POST /infer": .milliseconds(12_500)]
        expected.maxConcurrency = ["POST /infer": 3]
        expected.pausedRoutes = ["default"]
        expected.isPaused = true
        let again = try TestQueue(in: test.folder)
        #expect(again.queue.settings.controls == expected)
        try await again.queue.settings.apply([.resume(route: nil), .resume(route: "default")], by: Self.author)
        expected.pausedRoutes = []
        expected.isPaused = false
        #expect(again.queue.settings.controls == expected)
        await again.close()
        await #expect(throws: QueueError.self) {
            try await again.queue.settings.apply([.pause(route: nil)], by: Self.author)
        }
        #expect(again.queue.settings.controls == expected)
    }

    @Test("each change is recorded with what was before, who made it and from where; what changes nothing is not")
    func records() async throws {
        let test = try TestQueue()
        let settings = test.queue.settings
        let first = try await settings.apply(
            [.holdTimeout(.milliseconds(500), route: "default"), .pause(route: nil)],
            by: Self.author
        )
        #expect(first.map(\.action) == [.holdTimeout, .pause])
        let second = try await settings.apply(
            [.holdTimeout(.milliseconds(500), route: "default"), .pause(route: nil)],
            by: Self.author
        )
        #expect(second.isEmpty)
        try await settings.apply([.holdTimeout(.seconds(12), route: "default")], by: Self.author)
        try await settings.apply(
            [.holdTimeout(nil, route: "default"), .maxConcurrency(2, route: "a")],
            by: Self.author
        )
        try await settings.apply([.resume(route: nil)], by: Self.author)
        let recorded = try await test.queue.changes.page(limit: 50).changes
        #expect(
            recorded.map(\.change) == [
                ChangeRecord(.resume, of: nil),
                ChangeRecord(.maxConcurrency, of: "a", to: "2"),
                ChangeRecord(.holdTimeout, of: "default", from: "12"),
                ChangeRecord(.holdTimeout, of: "default", from: "0.5", to: "12"),
                ChangeRecord(.pause, of: nil),
                ChangeRecord(.holdTimeout, of: "default", to: "0.5"),
            ]
        )
        #expect(recorded.allSatisfy { $0.author == Self.author })
        await test.close()
    }

    @Test("a setting without its record is not kept")
    func oneTransaction() async throws {
        let test = try TestQueue()
        try await test.queue.perform { try $0.execute("DROP TABLE changes") }
        await #expect(throws: QueueError.self) {
            try await test.queue.settings.apply([.pause(route: nil)], by: Self.author)
        }
        #expect(try test.rows("SELECT count(*) FROM settings") == [["0"]])
        #expect(!test.queue.settings.controls.isPaused)
        await test.close()
    }

    @Test("of many changes at once, the one that was committed last is in force")
    func order() async throws {
        let test = try TestQueue()
        let settings = test.queue.settings
        try await withThrowingTaskGroup(of: Void.self) { group in
            for bound in 1...50 {
                group.addTask { try await settings.apply([.maxConcurrency(bound, route: "a")], by: Self.author) }
            }
            try await group.waitForAll()
        }
        let last = try await test.queue.changes.page(limit: 1).changes.first?.change.to
        #expect(settings.controls.maxConcurrency["a"].map { "\($0)" } == last)
        await test.close()
    }
}

@Suite("What operators did can be read page by page")
struct ChangeLogTests {
    private static let author = ChangeAuthor(name: "none", client: "127.0.0.1")

    @Test("pages follow each other, newest first")
    func pages() async throws {
        let test = try TestQueue()
        for number in 1...5 {
            try await test.queue.changes.record(ChangeRecord(.cancel, of: "\(number)"), by: Self.author)
        }
        let first = try await test.queue.changes.page(limit: 2)
        #expect(first.changes.map(\.change.subject) == ["5", "4"])
        let second = try await test.queue.changes.page(before: first.next, limit: 3)
        #expect(second.changes.map(\.change.subject) == ["3", "2", "1"])
        #expect(second.next == nil)
        await test.close()
    }

    @Test("more than are kept push the oldest out")
    func bounded() async throws {
        let test = try TestQueue()
        try await test.queue.perform { connection in
            try connection.execute(
                """
                WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < \(ChangeLog.kept))
                INSERT INTO changes (id, at, action, client, author) SELECT i, 0, 'pause', '', 'none' FROM n
                """
            )
        }
        try await test.queue.changes.record(ChangeRecord(.resume, of: nil), by: Self.author)
        #expect(try test.rows("SELECT min(id), count(*) FROM changes") == [["2", "\(ChangeLog.kept)"]])
        await test.close()
    }
}
