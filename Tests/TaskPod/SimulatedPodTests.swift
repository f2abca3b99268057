import Core
import Foundation
import HTTP
import NIOCore
import OpenAPI
import Testing

@testable import TaskPod

@Suite("A simulated pod")
struct SimulatedPodTests {
    @Test("tells what a task saw: needs, id, body and its hash")
    func report() async throws {
        try await withPod(configured { $0.name = "a" }) { server, _ in
            let answer = try await request(
                server,
                .post,
                "/v1/x?q=1",
                [("Neutrino-Resources", "cpus=2, gpus=0.5, memory_gb=4"), ("Neutrino-Request-Id", "ID1")],
                body: "abc"
            )
            #expect(answer.status == 200)
            #expect(answer.head.fields.first("neutrino-capacity") == "cpus=8, gpus=2, memory_gb=32")
            let report = try JSONSerialization.jsonObject(with: Data(answer.text.utf8)) as? [String: Any]
            #expect(report?["pod"] as? String == "a")
            #expect(report?["request_id"] as? String == "ID1")
            #expect(report?["path"] as? String == "/v1/x?q=1")
            #expect(report?["body_bytes"] as? Int == 3)
            #expect(
                report?["body_sha256"] as? String
                    == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
            )
            #expect((report?["needs"] as? [String: Double]) == ["cpus": 2, "gpus": 0.5, "memory_gb": 4])
            #expect(server.requestIDs() == ["ID1"])
            #expect(server.statistics().gpuRequests == 1)
        }
    }

    @Test("a head at the gateway's bounds fits, with what the gateway adds to it")
    func largeHead() async throws {
        let limits = MessageLimits()
        let long = String(repeating: "z", count: limits.headBytes - 3000)
        let fields = (0..<limits.fieldLines).map { ("X-\($0)", "y") } + (0..<20).map { ("Y-\($0)", "added") }
        try await withPod(configured { $0.name = "a" }) { server, _ in
            let answer = try await request(server, .get, "/", fields + [("X-Long", long)])
            #expect(answer.status == 200)
        }
    }

    @Test("needs come from the field, else the document, else the default; OPTIONS needs nothing")
    func needs() async throws {
        let yaml = "openapi: 3.0.0\npaths: {'/gpu/{id}': {post: {x-neutrino-resources: {num_gpus: 2}}}}"
        let document = try OpenAPIDocument.parse(Array(yaml.utf8), file: "a.yaml")
        try await withPod(configured { $0.document = document }) { server, _ in
            func needs(_ method: RequestMethod, _ path: String, _ field: String? = nil) async throws -> String {
                let text = try await request(server, method, path, field.map { [("neutrino-resources", $0)] } ?? [])
                    .text
                let start = try #require(text.range(of: "\"needs\":"))
                return String(text[start.upperBound...].prefix { $0 != "}" })
            }
            #expect(try await needs(.post, "/gpu/7?x") == #"{"cpus":1,"gpus":2,"memory_gb":1"#)
            #expect(try await needs(.post, "//gpu%2F7/") == #"{"cpus":1,"gpus":2,"memory_gb":1"#)
            #expect(try await needs(.get, "/gpu/7") == #"{"cpus":1,"gpus":0,"memory_gb":1"#)
            #expect(try await needs(.post, "/gpu/7", "cpus=3") == #"{"cpus":3,"gpus":0,"memory_gb":0"#)
            #expect(try await needs(.options, "/other") == #"{"cpus":0,"gpus":0,"memory_gb":0"#)
            let unreadable = try await request(server, .get, "/", [("Neutrino-Resources", "cpus=-1")])
            #expect(unreadable.status == 400)
        }
    }

    @Test("of many at once it runs what fits, refuses the rest, and counts both")
    func concurrency() async throws {
        try await withPod { server, _ in
            let answers = try await withThrowingTaskGroup(of: TestAnswer.self) { tasks in
                for _ in 0..<40 {
                    tasks.addTask {
                        try await request(server, .get, "/x?ms=20", [("Neutrino-Resources", "cpus=1, gpus=1")])
                    }
                }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
            let taken = answers.count { $0.status == 200 }
            let refused = answers.filter { $0.status == 503 }
            #expect(taken >= 2)
            #expect(taken + refused.count == 40)
            #expect(refused.allSatisfy { $0.text.contains("not enough resources are free") })
            let statistics = server.statistics()
            #expect(statistics.accepted == taken)
            #expect(statistics.completed == taken)
            #expect(statistics.refused == refused.count)
            #expect(statistics.peak.gpus <= 2000)
            #expect(statistics.gpuBusySeconds >= Double(taken) * 0.02 * 0.99)
            #expect(server.free == server.configuration.total)
        }
    }

    @Test("capacity follows what runs, and is whole again once an answer is read")
    func capacity() async throws {
        try await withPod(configured { $0.workers = 3 }) { server, group in
            let client = try await TestClient(port: server.port, group: group)
            client.send(.get, "/x?fail=stall", [("Neutrino-Resources", "cpus=2.5, gpus=1, memory_gb=8")])
            #expect(try await eventually { server.statistics().running == 1 })
            let during = try await request(server, .get, "/capacity")
            #expect(
                during.text
                    == #"{"available_cpus":5.5,"available_gpus":1,"available_memory_gb":24,"total":{"cpus":8,"gpus":2,"memory_gb":32},"total_workers":3,"idle_workers":2}"#
            )
            await client.close()
            #expect(try await eventually { server.statistics().running == 0 })
            #expect(server.statistics().failed == 1)
            let stats = try await request(server, .get, "/_pod/stats")
            let json = try JSONSerialization.jsonObject(with: Data(stats.text.utf8)) as? [String: Any]
            #expect(json?["running"] as? Int == 0)
            #expect((json?["peak"] as? [String: Double])?["cpus"] == 2.5)
        }
    }

    @Test("the nested form lists workers with their shares")
    func nested() async throws {
        try await withPod(
            configured {
                $0.workers = 2
                $0.capacityForm = .nested
            }
        ) { server, _ in
            let text = try await request(server, .get, "/capacity").text
            #expect(
                text == #"{"total":{"cpus":8,"gpus":2,"memory_gb":32},"available":{"cpus":8,"gpus":2,"memory_gb":32},"#
                    + #""allocated":{"cpus":0,"gpus":0,"memory_gb":0},"workers":[{"state":"Idle","available":{"cpus":4,"gpus":1,"memory_gb":16}},"#
                    + #"{"state":"Idle","available":{"cpus":4,"gpus":1,"memory_gb":16}}]}"#
            )
        }
    }

    @Test("a client that leaves ends its task")
    func cancel() async throws {
        try await withPod { server, group in
            let client = try await TestClient(port: server.port, group: group)
            client.send(.get, "/x?ms=60000")
            #expect(try await eventually { server.statistics().running == 1 })
            await client.close()
            #expect(try await eventually { server.statistics().cancelled == 1 })
            #expect(server.free == server.configuration.total)
        }
    }

    @Test("a connection takes one request after the other, pipelined too")
    func keepAlive() async throws {
        try await withPod { server, group in
            let client = try await TestClient(port: server.port, group: group)
            client.send(.get, "/x?ms=5")
            #expect(try await client.answer().keepAlive)
            client.send(.post, "/x?bytes=10", body: "ab")
            #expect(try await client.answer().body.readableBytes == 10)
            client.send(.head, "/x?bytes=10")
            let head = try await client.answer()
            #expect(head.head.fields.first("content-length") == "10")
            #expect(head.body.readableBytes == 0)
            client.send(.get, "/x", [("Connection", "close")])
            #expect(try await client.answer().keepAlive == false)
            await client.close()
            let raw = "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b?ms=3 HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.0\r\n\r\n"
            let text = try await Self.exchange(raw, port: server.port, group)
            #expect(text.components(separatedBy: "HTTP/1.1 200 OK").count == 4)
            let order = ["/a", "/b?ms=3", "/c"].compactMap { text.range(of: "\"path\":\"\($0)\"")?.lowerBound }
            #expect(order.count == 3 && order == order.sorted())
        }
    }

    @Test("a body asked for with 100-continue is asked for, and what is malformed is refused in words")
    func rawMessages() async throws {
        try await withPod { server, group in
            let head =
                "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab"
            let text = try await Self.exchange(head, port: server.port, group)
            #expect(text.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
            let bad = try await Self.exchange("GET /x HTTP/1.1\r\n\r\n", port: server.port, group)
            #expect(bad.hasPrefix("HTTP/1.1 400 Bad Request"))
            #expect(bad.contains("\"error\":"))
            let old = try await Self.exchange(
                "GET /x?events=2&interval_ms=1 HTTP/1.0\r\n\r\n",
                port: server.port,
                group
            )
            #expect(!old.lowercased().contains("transfer-encoding"))
            #expect(old.contains("\"n\":1"))
        }
    }

    @Test("statuses that have no body have neither one nor its length", arguments: [204, 304])
    func bodiless(_ status: Int) async throws {
        try await withPod { server, group in
            let request = "GET /x?status=\(status) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            let text = try await Self.exchange(request, port: server.port, group)
            #expect(text.hasPrefix("HTTP/1.1 \(status) "))
            #expect(text.hasSuffix("\r\n\r\n"))
            #expect(!text.lowercased().contains("content-"))
        }
    }

    @Test("a large answer streams with its bytes in order, however slowly it is read", arguments: [false, true])
    func largeAnswer(_ isChunked: Bool) async throws {
        try await withPod { server, _ in
            let count = 5_000_000
            let answer = try await request(server, .get, "/x?bytes=\(count)\(isChunked ? "&chunked=1&trailer=1" : "")")
            #expect(answer.broken == nil)
            #expect(answer.body.readableBytes == count)
            let isRight = answer.body.withUnsafeReadableBytes { bytes in
                stride(from: 0, to: count, by: 4001).allSatisfy { bytes[$0] == UInt8($0 % 251) }
            }
            #expect(isRight)
            #expect(answer.trailers?.first("neutrino-pod-trailer") == (isChunked ? "0" : nil))
        }
    }

    @Test("events carry the time at which they were sent, and keep to their interval")
    func events() async throws {
        try await withPod { server, group in
            let client = try await TestClient(port: server.port, group: group)
            client.send(.get, "/x?events=5&interval_ms=10")
            let answer = try await client.answer()
            await client.close()
            #expect(answer.head.fields.first("content-type") == "text/event-stream")
            let times = answer.text.components(separatedBy: "\n").filter { $0.hasPrefix("data: ") }.compactMap { line in
                let json = try? JSONSerialization.jsonObject(with: Data(line.dropFirst(6).utf8)) as? [String: Any]
                return json?["sent_uptime_ns"] as? UInt64
            }
            #expect(times.count == 5)
            let elapsed = try #require(times.last) - (try #require(times.first))
            #expect(elapsed >= 39_000_000)
            #expect(times.last! <= NIODeadline.now().uptimeNanoseconds)
        }
    }

    @Test(
        "a task fails as it is asked to",
        arguments: [
            ("fail=reset", nil), ("fail=close", nil), ("fail=cut", "broken"),
            ("fail=cut&chunked=1&bytes=1000", "broken"),
            ("fail=slow&bytes=100&interval_ms=1", "whole"), ("fail=reset&fail_on=other", "whole"),
            ("status=418", "whole"), ("fail=nonsense", "400"), ("ms=x", "400"), ("bytes=-1", "400"),
        ] as [(String, String?)]
    )
    func failures(_ query: String, _ outcome: String?) async throws {
        try await withPod { server, _ in
            let answer = try? await request(server, .get, "/x?\(query)")
            switch outcome {
            case nil: #expect(answer == nil)
            case "broken"?: #expect(answer?.broken != nil && answer?.status == 200)
            case "400"?: #expect(answer?.status == 400 && answer?.text.contains("is not accepted") == true)
            default: #expect(answer?.broken == nil && (answer?.status == 200 || answer?.status == 418))
            }
            let isFree = try await eventually { server.free == server.configuration.total }
            #expect(isFree)
            let isFailure = outcome == nil || outcome == "broken"
            #expect(server.statistics().failed == (isFailure ? 1 : 0))
        }
    }

    @Test("the body's own duration is used", arguments: [#"{"ms":30}"#, #"{"a":"b", "ms" : 30.5}"#])
    func durationInBody(_ body: String) async throws {
        #expect(try #require(TaskOptions.duration(inBody: ByteBuffer(string: body))) >= .milliseconds(30))
        #expect(TaskOptions.duration(inBody: ByteBuffer(string: #"{"msx":30,"m":1}"#)) == nil)
        try await withPod { server, _ in
            let start = NIODeadline.now()
            let answer = try await request(server, .post, "/x", body: body)
            #expect(answer.status == 200)
            #expect(NIODeadline.now() - start >= .milliseconds(30))
        }
    }

    @Test("while it drains it takes nothing and reports nothing free")
    func drainRefuses() async throws {
        try await withPod { server, group in
            let idle = try await TestClient(port: server.port, group: group)
            idle.send(.get, "/x")
            #expect(try await idle.answer().keepAlive)
            let running = try await TestClient(port: server.port, group: group)
            running.send(.get, "/x?fail=stall")
            #expect(try await eventually { server.statistics().running == 1 })
            async let drained: Void = server.drain()
            // An idle connection is closed at once.
            await #expect(throws: TestClient.Closed.self) { try await idle.next() }
            let capacity = try await request(server, .get, "/capacity")
            #expect(capacity.text.hasPrefix(#"{"available_cpus":0,"available_gpus":0,"available_memory_gb":0,"#))
            #expect(!capacity.keepAlive)
            let refused = try await request(server, .get, "/x")
            #expect(refused.status == 503)
            #expect(refused.text.contains("the pod is shutting down"))
            #expect(try await request(server, .get, "/health").status == 503)
            await running.close()
            await drained
            await #expect(throws: (any Error).self) { try await TestClient(port: server.port, group: group) }
        }
    }

    @Test("while it drains it finishes what runs, to the last byte")
    func drainFinishes() async throws {
        try await withPod { server, group in
            let running = try await TestClient(port: server.port, group: group)
            running.send(.get, "/x?ms=100&bytes=3000000")
            #expect(try await eventually { server.statistics().running == 1 })
            async let drained: Void = server.drain()
            let answer = try await running.answer()
            #expect(answer.body.readableBytes == 3_000_000)
            // Then its connection ends, whether the answer could still say so or had begun before.
            await #expect(throws: TestClient.Closed.self) { try await running.next() }
            await drained
            #expect(server.statistics().completed == 1)
        }
    }

    /// Writes bytes and reads until the pod closes.
    static func exchange(_ text: String, port: Int, _ group: any EventLoopGroup) async throws -> String {
        try await RawExchange.run(text, port: port, group: group)
    }
}
