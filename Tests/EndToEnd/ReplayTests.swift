import Core
import Foundation
import Gateway
import NIOCore
import NIOHTTP1
import Queue
import TaskPod
import Testing

@Suite("Replays, one and many, by the admin API", .timeLimit(.minutes(2)))
struct ReplayTests {
    private typealias JSON = [String: Any]

    private func call(
        _ cluster: Cluster,
        _ method: HTTPMethod,
        _ path: String,
        _ body: String? = nil
    ) async throws -> (status: Int, json: [String: Any]) {
        let answer = try await cluster.admin.send(
            method,
            "/admin/api\(path)",
            body: body.map { ByteBuffer(string: $0) }
        )
        let json = try JSONSerialization.jsonObject(with: Data(answer.body.readableBytesView)) as? [String: Any]
        return (answer.status, json ?? [:])
    }

    /// The ids of requests that were refused since the only CPU was taken.
    private func expire(
        _ count: Int,
        _ cluster: Cluster,
        path: String = "/cpu",
        headers: HTTPHeaders = [:]
    ) async throws -> [String] {
        async let holder = cluster.client.send(.POST, "/cpu?ms=400")
        await cluster.leased(1)
        let ids = try await withThrowingTaskGroup(of: String?.self) { clients in
            for _ in 0..<count {
                clients.addTask {
                    let answer = try await cluster.client.send(
                        .POST,
                        path,
                        headers: headers,
                        body: ByteBuffer(string: "{}")
                    )
                    return answer.status == 503 ? answer.headers.first(name: "Neutrino-Request-Id") : nil
                }
            }
            return try await clients.reduce(into: []) { $0 += $1.map { [$0] } ?? [] }
        }
        #expect(try await holder.status == 200)
        return ids
    }

    private static let oneCPU = [ResourceVector(cpus: 1000, gpus: 0, memory: 32_000)]

    @Test("a request is sent again as it is edited: routed by its new path, and only to the gateway's own pods")
    func edits() async throws {
        try await Cluster.run { cluster in
            let first = try await cluster.client.send(.POST, "/cpu?a=1", body: ByteBuffer(string: "old"))
            let id = try #require(first.headers.first(name: "Neutrino-Request-Id"))
            _ = try await cluster.rows(1)
            #expect(
                try await call(cluster, .POST, "/requests/\(id)/replay", "{}").json["reason"] as? String
                    == "confirmation_needed"
            )

            let order =
                #"{"method":"put","path":"/other?b=2","headers":{"X_Edited":"yes","Via":null},"body_base64":"bmV3IGJvZHk="}"#
            let made = try await call(cluster, .POST, "/requests/\(id)/replay", order)
            #expect(made.status == 202)
            #expect(made.json["replay_of"] as? String == id)
            let row = try #require(try await cluster.rows(2).first)
            #expect("\(row.id)" == made.json["id"] as? String)
            #expect(row.method == "PUT" && row.target == "/other?b=2" && row.routeID == "default")
            #expect(row.state == .completed && row.replayOf == RequestID(id))
            let entry = try #require(try await cluster.gateway.queue.log.detail(row.id))
            #expect(entry.fields.contains { $0 == ("X_Edited", "yes") })
            #expect(!entry.fields.contains { $0.name == "Via" })
            guard case .kept(let body) = entry.body else { throw ChannelError.eof }
            #expect(String(buffer: body) == "new body")

            for path in ["/capacity", "/%63apacity", "/_requests/x", "/health", "/admin/api/queue"] {
                let refused = try await call(
                    cluster,
                    .POST,
                    "/requests/\(id)/replay",
                    "{\"path\":\"\(path)\",\"confirm\":true}"
                )
                #expect(refused.status == 409 && refused.json["reason"] as? String == "path_reserved", "\(path)")
            }
            for order in [
                #"{"path":"http://elsewhere/"}"#, #"{"body":"a","body_base64":"YQ=="}"#,
                #"{"headers":{"Content-Length":"0"}}"#,
                #"{"bodies":"a"}"#, #"{"body_base64":"?"}"#,
            ] {
                #expect(try await call(cluster, .POST, "/requests/\(id)/replay", order).status == 400, "\(order)")
            }
        }
    }

    @Test("many are sent again by filter: counted before, each once, and never what they made themselves")
    func bulk() async throws {
        try await Cluster.run(pods: Self.oneCPU, settings: ["HOLD_TIMEOUT": "0.05"]) { cluster in
            let ids = try await expire(12, cluster)
            #expect(ids.count == 12)
            _ = try await cluster.rows(13)
            let filter = #""filter":{"state":["expired","completed"],"route":"POST /cpu"}"#
            let preview = try await call(cluster, .POST, "/replays", "{\(filter),\"dry_run\":true}")
            #expect(preview.status == 200)
            #expect(preview.json["matching"] as? Int == 13)
            #expect(preview.json["replayable"] as? Int == 12)
            #expect((preview.json["first"] as? [[String: Any]])?.count == 10)

            let made = try await call(cluster, .POST, "/replays", "{\(filter),\"rate\":1000}")
            #expect(made.status == 202)
            let job = try #require(made.json["id"] as? String)
            let ended = try await end(of: job, cluster)
            #expect(ended["state"] as? String == "finished")
            #expect(ended["queued"] as? Int == 12)
            #expect(ended["completed"] as? Int == 12)
            let skipped = try #require(ended["skipped"] as? [[String: Any]])
            #expect(skipped.count == 1 && skipped[0]["reason"] as? String == "confirmation_needed")

            let page = try await call(cluster, .GET, "/requests?replay_job=\(job)")
            let rows = try #require(page.json["requests"] as? [[String: Any]])
            #expect(Set(rows.compactMap { $0["replay_of"] as? String }) == Set(ids))
            #expect(
                rows.count == 12
                    && rows.allSatisfy { $0["replay_job"] as? String == job && $0["status"] as? Int == 200 }
            )
            #expect(Set(cluster.pods[0].requestIDs()).count == cluster.pods[0].requestIDs().count)
        }
    }

    @Test("a job is paused, goes on and is cancelled; what waits of it is taken out of the queue")
    func operators() async throws {
        try await Cluster.run(pods: Self.oneCPU, settings: ["HOLD_TIMEOUT": "0.05"]) { cluster in
            _ = try await expire(8, cluster, path: "/cpu?ms=300")
            let made = try await call(cluster, .POST, "/replays", #"{"filter":{"state":["expired"]},"rate":10000}"#)
            let job = try #require(made.json["id"] as? String)
            // One runs, the rest waits beyond its hold timeout.
            while try await call(cluster, .GET, "/replays/\(job)").json["waiting"] as? Int != 7 {}
            #expect(try await call(cluster, .POST, "/replays/\(job)/pause").json["state"] as? String == "paused")
            #expect(try await call(cluster, .POST, "/replays/\(job)/resume").json["state"] as? String == "running")
            #expect(try await call(cluster, .DELETE, "/replays/\(job)").json["state"] as? String == "cancelled")
            let ended = try await end(of: job, cluster)
            #expect(ended["state"] as? String == "cancelled")
            let completed = try #require(ended["completed"] as? Int)
            #expect(completed < 8)
            #expect(ended["failed"] as? Int == 8 - completed)
            let late = try await call(cluster, .POST, "/replays/\(job)/resume")
            #expect(late.status == 409 && late.json["reason"] as? String == "job_ended")
            #expect(try await call(cluster, .GET, "/replays/99").status == 404)
            let list = try await call(cluster, .GET, "/replays")
            #expect((list.json["replays"] as? [[String: Any]])?.count == 1)
        }
    }

    @Test("after a graceful restart a job goes on, what waited too, also where the queue has no room for all of it")
    func restart() async throws {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        var job = ""
        let settings = ["HOLD_TIMEOUT": "0.05"]
        try await Cluster.run(pods: Self.oneCPU, settings: settings, folder: folder) { cluster in
            _ = try await expire(6, cluster, path: "/cpu?ms=50")
            // None fits any more: what is made waits.
            async let holder = cluster.client.send(.POST, "/cpu?ms=1000")
            await cluster.leased(1)
            let made = try await call(cluster, .POST, "/replays", #"{"filter":{"state":["expired"]},"rate":100}"#)
            job = try #require(made.json["id"] as? String)
            while try await call(cluster, .GET, "/replays/\(job)").json["waiting"] as? Int ?? 0 < 3 {}
            _ = try? await holder
        }
        let narrow = ["MAX_QUEUE_DEPTH": "2"]
        try await Cluster.run(pods: Self.oneCPU, settings: narrow, folder: folder) { cluster in
            let ended = try await end(of: job, cluster)
            #expect(ended["state"] as? String == "finished")
            let counts = ["completed", "interrupted", "failed"].map { ended[$0] as? Int ?? -1 }
            #expect(counts[0] + counts[1] == 6 && counts[2] == 0, "\(ended)")
        }
    }

    @Test(
        "a filter that restricts nothing, and words that are not known, are refused",
        arguments: ["replays", "purge"]
    )
    func strict(name: String) async throws {
        try await Cluster.run { cluster in
            for order in [
                #"{"filter":{}}"#, "{}", #"{"filter":{"states":["failed"]}}"#, #"{"filter":{"state":["done"]}}"#,
                #"{"filter":{"state":["failed"]},"dryrun":true}"#, #"{"filter":{"since":"yesterday"}}"#,
            ] {
                let refused = try await call(cluster, .POST, "/\(name)", order)
                #expect(refused.status == 400, "\(order)")
            }
        }
    }

    @Test("ended requests are removed by filter, and the database is taken away whole")
    func storage() async throws {
        try await Cluster.run { cluster in
            for _ in 0..<3 { #expect(try await cluster.client.send(.POST, "/cpu").status == 200) }
            _ = try await cluster.rows(3)
            let backup = try await cluster.admin.get("/admin/api/backup")
            #expect(backup.status == 200)
            #expect(backup.headers.first(name: "Content-Type") == "application/vnd.sqlite3")
            #expect(backup.body.readableBytes == Int(backup.headers.first(name: "Content-Length") ?? ""))
            #expect(backup.text.hasPrefix("SQLite format 3"))
            let filter = #""filter":{"state":["completed"]}"#
            #expect(
                try await call(cluster, .POST, "/purge", "{\(filter),\"dry_run\":true}").json["matching"] as? Int == 2
            )
            let purged = try await call(cluster, .POST, "/purge", "{\(filter)}")
            #expect(purged.json["removed"] as? Int == 2 && purged.json["complete"] as? Bool == true)
            #expect(try await cluster.rows(1).count == 1)
            let open = try await call(cluster, .POST, "/purge", #"{"filter":{"state":["queued"]}}"#)
            #expect(open.status == 400)
        }
    }

    /// The job, once all of its replays have ended.
    private func end(of job: String, _ cluster: Cluster) async throws -> [String: Any] {
        while true {
            let (_, json) = try await call(cluster, .GET, "/replays/\(job)")
            if json["ended_at"] is String { return json }
        }
    }
}
