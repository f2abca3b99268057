import Foundation
import Gateway
import NIOCore
import NIOHTTP1
import TaskPod
import Testing

@Suite("Operators tune the gateway while it runs", .timeLimit(.minutes(1)))
struct OperatorTests {
    private func json(_ answer: TestClient.Answer) throws -> [String: Any] {
        try #require(
            try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any],
            "\(answer.status) \(answer.text)"
        )
    }

    private func call(_ cluster: Cluster, _ path: String, _ body: String = "") async throws -> [String: Any] {
        let answer = try await cluster.admin.send(.POST, "/admin/api\(path)", body: ByteBuffer(string: body))
        #expect(answer.status == 200, "\(answer.text)")
        return try json(answer)
    }

    private func queue(_ cluster: Cluster) async throws -> [String: Any] {
        try json(try await cluster.admin.get("/admin/api/queue"))
    }

    private static func encoded(_ id: String) -> String {
        id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? id
    }

    @Test(
        "a paused gateway and a paused route hold what comes, also after a restart, and let it go when they are resumed"
    )
    func pause() async throws {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await Cluster.run(folder: folder) { cluster in
            let paused = try await call(cluster, "/pause", #"{"route": "POST /cpu"}"#)
            #expect(paused["paused"] as? Bool == false)
            #expect(paused["routes"] as? [String] == ["POST /cpu"])
            async let held = cluster.client.send(.POST, "/cpu")
            await cluster.waiting(1)
            #expect(try await cluster.client.send(.POST, "/gpu").status == 200)
            let line = try #require((try await queue(cluster)["lines"] as? [[String: Any]])?.first)
            #expect(line["why"] as? String == "route_paused")
            _ = try await call(cluster, "/resume", #"{"route": "POST /cpu"}"#)
            #expect(try await held.status == 200)
            _ = try await call(cluster, "/pause")
        }
        try await Cluster.run(folder: folder) { cluster in
            #expect(try await queue(cluster)["paused"] as? Bool == true)
            async let held = cluster.client.send(.POST, "/gpu")
            await cluster.waiting(1)
            let resumed = try await call(cluster, "/resume")
            #expect(resumed["paused"] as? Bool == false)
            #expect(try await held.status == 200)
        }
    }

    @Test("a drained pod gets nothing new until it is undrained")
    func drain() async throws {
        try await Cluster.run(pods: [Cluster.seedPods[0]]) { cluster in
            let id = Self.encoded(cluster.pods[0].url)
            let drained = try await call(cluster, "/pods/\(id)/drain")
            #expect(drained["drained"] as? Bool == true)
            #expect(drained["routable"] as? Bool == false)
            async let held = cluster.client.send(.POST, "/cpu")
            await cluster.waiting(1)
            #expect(try await call(cluster, "/pods/\(id)/undrain")["draining"] as? Bool == false)
            #expect(try await held.status == 200)
            #expect(try await call(cluster, "/pods/\(id)/reset")["breaker"] as? String == "closed")
            let unknown = try await cluster.admin.send(.POST, "/admin/api/pods/nobody/drain")
            #expect(unknown.status == 404)
        }
    }

    @Test("events tell what is and what changes, and end when the gateway does")
    func events() async throws {
        try await Cluster.run { cluster in
            let (parts, part) = AsyncStream.makeStream(of: String.self)
            async let answer = cluster.admin.send(.GET, "/admin/api/events") { part.yield(String(buffer: $0)) }
            var told = ""
            var iterator = parts.makeAsyncIterator()
            while !["queue", "pods", "routes"].allSatisfy({ told.contains("event: \($0)\ndata: {") }) {
                told += await iterator.next() ?? ""
            }
            #expect(told.contains(#""paused":false"#))
            _ = try await call(cluster, "/pause")
            while !told.contains(#""paused":true"#) { told += await iterator.next() ?? "" }
            // Its drain waits for nobody who only listens.
            await cluster.gateway.shutDown()
            #expect(try await answer.status == 200)
            #expect(try await answer.headers["Content-Type"] == ["text/event-stream"])
        }
    }

    @Test("that the gateway drains is told while it does")
    func draining() async throws {
        try await Cluster.run(pods: [], settings: ["DRAIN_TIMEOUT": "2"]) { cluster in
            async let held = cluster.client.send(.POST, "/cpu")
            await cluster.waiting(1)
            #expect(try await queue(cluster)["draining"] as? Bool == false)
            await cluster.gateway.shutDown()
            // It listens to operators until the request that it waits for has ended.
            while try await queue(cluster)["draining"] as? Bool != true { await Task.yield() }
            #expect(try await held.status == 503)
        }
    }

    @Test("a route's bound holds what is over it, and every change is recorded with who and where from")
    func concurrency() async throws {
        try await Cluster.run(pods: [Cluster.seedPods[1]]) { cluster in
            let path = "/admin/api/routes/\(Self.encoded("POST /cpu"))"
            let body = ByteBuffer(string: #"{"max_concurrency": 1, "hold_timeout": 9}"#)
            let answer = try await cluster.admin.send(.PATCH, path, body: body)
            let route = try json(answer)
            #expect(route["max_concurrency"] as? Int == 1)
            #expect((route["sources"] as? [String: String])?["max_concurrency"] == "operator")

            async let first = cluster.client.send(.POST, "/cpu?ms=200")
            async let second = cluster.client.send(.POST, "/cpu?ms=200")
            await cluster.waiting(1)
            let line = try #require((try await queue(cluster)["lines"] as? [[String: Any]])?.first)
            #expect(line["why"] as? String == "concurrency")
            #expect(try await [first.status, second.status] == [200, 200])

            let changes = try json(try await cluster.admin.get("/admin/api/changes"))["changes"] as? [[String: Any]]
            #expect(changes?.map { $0["action"] as? String } == ["max_concurrency", "hold_timeout"])
            #expect(changes?.map { $0["to"] as? String } == ["1", "9"])
            #expect(
                changes?.allSatisfy { $0["by"] as? String == "none" && $0["client"] as? String == "127.0.0.1" } == true
            )
        }
    }
}
