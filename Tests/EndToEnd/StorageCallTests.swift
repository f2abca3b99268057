import Foundation
import GRDB
import Gateway
import NIOCore
import NIOHTTP1
import Queue
import Testing

@Suite("Calls about what is kept", .timeLimit(.minutes(2)))
struct StorageCallTests {
    private func json(_ cluster: Cluster, _ path: String) async throws -> [String: Any] {
        let answer = try await cluster.admin.get("/admin/api\(path)")
        return try #require(try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any])
    }

    /// The record of the last purge; nil where there is none.
    private func purge(_ cluster: Cluster) async throws -> [String: Any]? {
        let changes = try await json(cluster, "/changes")["changes"] as? [[String: Any]]
        return changes?.first { $0["action"] as? String == "purge" }
    }

    /// A folder with a database of so many completed requests.
    private func filled(_ count: Int) async throws -> URL {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-\(UUID().uuidString)")
        try await Cluster.run(folder: folder) { cluster in
            #expect(try await cluster.client.send(.POST, "/cpu").status == 200)
            _ = try await cluster.rows(1)
        }
        let database = try DatabaseQueue(path: folder.appending(path: "queue.db").path)
        try await database.write { db in
            for (table, key) in [("requests", "id"), ("outcomes", "request")] {
                let columns = try db.columns(in: table).map(\.name)
                let values = columns.map { $0 == key ? "\(key) - n" : $0 }.joined(separator: ", ")
                try db.execute(
                    sql: """
                        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < \(count))
                        INSERT INTO \(table) (\(columns.joined(separator: ", "))) SELECT \(values) FROM \(table), numbers
                        """
                )
            }
        }
        try database.close()
        return folder
    }

    @Test("a purge ends when its caller goes, and what it was about and what it removed is recorded")
    func gone() async throws {
        let folder = try await filled(20_000)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await Cluster.run(folder: folder) { cluster in
            let order = ByteBuffer(string: #"{"filter":{"state":["completed"],"text":"/cpu"}}"#)
            let caller = Task { try await cluster.admin.send(.POST, "/admin/api/purge", body: order) }
            while cluster.gateway.queue.statistics.requestsRemoved == 0 { await Task.yield() }
            caller.cancel()
            _ = await caller.result
            var record: [String: Any]?
            while record == nil { record = try await purge(cluster) }
            let removed = try #require(record?["to"] as? String)
            #expect(removed.hasSuffix(" removed, not all that match"))
            #expect(try #require(Int(removed.prefix { $0 != " " })) < 20_000)
            #expect(record?["subject"] as? String == #"{"state":["completed"],"text":"/cpu"}"#)
        }
    }

    @Test("a purge that comes to its end is recorded with its filter, and a dry run is not")
    func recorded() async throws {
        try await Cluster.run { cluster in
            for _ in 0..<3 { #expect(try await cluster.client.send(.POST, "/cpu").status == 200) }
            _ = try await cluster.rows(3)
            for isDry in [true, false] {
                let order = ByteBuffer(string: #"{"filter":{"route":"POST /cpu"},"dry_run":\#(isDry)}"#)
                #expect(try await cluster.admin.send(.POST, "/admin/api/purge", body: order).status == 200)
                let record = try await purge(cluster)
                #expect((record == nil) == isDry)
                guard let record else { continue }
                #expect(record["to"] as? String == "2 removed")
                #expect(record["subject"] as? String == #"{"route":"POST /cpu"}"#)
            }
        }
    }

    @Test("whatever answers GET answers HEAD, without a body, and the host by itself leads to the page")
    func head() async throws {
        try await Cluster.run { cluster in
            for path in [
                "/health", "/ready", "/metrics", "/admin", "/admin/assets/main.js", "/admin/api/queue",
                "/admin/api/events", "/admin/api/backup",
            ] {
                let answer = try await cluster.admin.send(.HEAD, path)
                #expect(answer.status == 200, "\(path)")
                #expect(answer.body.readableBytes == 0)
            }
            // No copy was made for it.
            #expect(try await (json(cluster, "/changes")["changes"] as? [Any])?.isEmpty == true)
            #expect(try await cluster.admin.send(.HEAD, "/admin/api/pause").status == 405)
            let root = try await cluster.admin.get("/")
            #expect(root.status == 303 && root.headers.first(name: "Location") == "/admin")
        }
    }

    @Test("a replay that finds the queue full is told when to come again")
    func retryAfter() async throws {
        try await Cluster.run(pods: [], settings: ["MAX_QUEUE_DEPTH": "1", "HOLD_TIMEOUT": "0.05"]) { cluster in
            let first = try await cluster.client.send(.GET, "/cpu")
            let id = try #require(first.headers.first(name: "Neutrino-Request-Id"))
            _ = try await cluster.rows(1)
            func hold(_ seconds: Int) async throws {
                let order = ByteBuffer(string: "{\"hold_timeout\":\(seconds)}")
                #expect(try await cluster.admin.send(.PATCH, "/admin/api/routes/default", body: order).status == 200)
            }
            try await hold(60)
            async let held = cluster.client.send(.GET, "/cpu")
            await cluster.waiting(1)
            let answer = try await cluster.admin.send(.POST, "/admin/api/requests/\(id)/replay")
            #expect(answer.status == 429)
            #expect(answer.headers.first(name: "Retry-After") == "5")
            try await hold(0)
            #expect(try await held.status == 503)
        }
    }

    @Test("a bulk replay that is paused twice is recorded once")
    func paused() async throws {
        try await Cluster.run(pods: [], settings: ["HOLD_TIMEOUT": "0"]) { cluster in
            _ = try await cluster.client.send(.GET, "/cpu")
            _ = try await cluster.rows(1)
            let order = ByteBuffer(string: #"{"filter":{"state":["expired"]},"rate":0.01}"#)
            #expect(try await cluster.admin.send(.POST, "/admin/api/replays", body: order).status == 202)
            for _ in 0..<2 {
                #expect(try await cluster.admin.send(.POST, "/admin/api/replays/1/pause").status == 200)
            }
            let changes = try await json(cluster, "/changes")["changes"] as? [[String: Any]]
            #expect(changes?.map { $0["to"] as? String } == ["paused", "created"])
        }
    }
}
