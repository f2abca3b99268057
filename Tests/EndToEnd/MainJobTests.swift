import Core
import Dispatcher
import Foundation
import Gateway
import NIOCore
import NIOHTTP1
import Queue
import TaskPod
import Testing

@Suite("The main job: a request in, the right pod, a streamed answer out, a row for each", .timeLimit(.minutes(2)))
struct MainJobTests {
    @Test(
        "mixed requests from many clients all get 200 from the right pods, and clients, rows and pods agree one for one"
    )
    func mixed() async throws {
        try await Cluster.run { cluster in
            let answers = try await withThrowingTaskGroup(of: [TestClient.Answer].self) { clients in
                for number in 0..<16 {
                    clients.addTask {
                        var answers: [TestClient.Answer] = []
                        for turn in 0..<25 {
                            let path = ["/gpu?ms=2", "/cpu?ms=1", "/cpu"][(number + turn) % 3]
                            answers.append(try await cluster.client.send(.POST, path, body: ByteBuffer(string: "{}")))
                        }
                        return answers
                    }
                }
                return try await clients.reduce(into: []) { $0 += $1 }
            }
            #expect(answers.count == 400)
            #expect(answers.allSatisfy { $0.status == 200 })
            let rows = try await cluster.rows(400)
            #expect(rows.allSatisfy { $0.state == .completed && $0.reason == .ok && $0.status == 200 })
            let ids = Set(answers.compactMap { $0.headers.first(name: "Neutrino-Request-Id") })
            #expect(ids == Set(rows.map { "\($0.id)" }))
            let ran = cluster.pods.flatMap { $0.requestIDs() }
            #expect(ran.count == 400)
            #expect(Set(ran) == ids)
            #expect(cluster.pods[1].statistics().gpuRequests == 0)
            #expect(cluster.pods.map { $0.statistics().refused }.reduce(0, +) == 0)
        }
    }

    @Test("a GPU request waits while all GPUs are taken, and goes as soon as one is free")
    func holds() async throws {
        try await Cluster.run(pods: [ResourceVector(cpus: 8000, gpus: 1000, memory: 8000)]) { cluster in
            async let first = cluster.client.send(.POST, "/gpu?ms=300")
            await cluster.leased(1)
            async let second = cluster.client.send(.POST, "/gpu?ms=1")
            await cluster.waiting(1)
            let queue = await cluster.gateway.dispatcher.queueSnapshot()
            #expect(queue.lines.first?.why.name == "gpus")
            #expect(try await cluster.client.send(.POST, "/cpu").status == 200)
            let statuses = try await [first.status, second.status]
            #expect(statuses == [200, 200])
            #expect(cluster.pods[0].statistics().refused == 0)
        }
    }

    @Test("at the hold timeout the answer is 503 with its reason in words, a Retry-After and the id of its row")
    func expires() async throws {
        try await Cluster.run(settings: ["HOLD_TIMEOUT": "0.2"]) { cluster in
            let answer = try await cluster.client.send(.POST, "/two-gpus?ms=1")
            #expect(answer.status == 200)
            async let holder = cluster.client.send(.POST, "/two-gpus?ms=1000")
            await cluster.leased(1)
            let refused = try await cluster.client.send(.POST, "/two-gpus")
            #expect(refused.status == 503)
            #expect(refused.headers.first(name: "Neutrino-Reason") == "no_capacity")
            #expect(refused.headers.first(name: "Content-Type") == "application/problem+json")
            let seconds = try #require(refused.headers.first(name: "Retry-After").flatMap { Int($0) })
            #expect((1...60).contains(seconds))
            #expect(refused.text.contains("needs gpus=2"))
            let id = try #require(refused.headers.first(name: "Neutrino-Request-Id").flatMap { RequestID($0) })
            #expect(try await holder.status == 200)
            _ = try await cluster.rows(3)
            let row = try #require(try await cluster.gateway.queue.log.detail(id))
            #expect(row.summary.state == .expired)
            #expect(row.summary.reason == .noCapacity)
        }
    }

    @Test("a request that exceeds every pod is told so at its hold timeout")
    func exceeds() async throws {
        let routes = "routes:\n  - path: /huge\n    needs: {num_gpus: 9}\n    hold_timeout: 0.1\n"
        try await Cluster.run(routes: routes) { cluster in
            let answer = try await cluster.client.get("/huge")
            #expect(answer.status == 503)
            #expect(answer.headers.first(name: "Neutrino-Reason") == "exceeds_every_pod")
        }
    }

    @Test("a pod that a re-read configuration adds gets the request that waits for it")
    func addsPod() async throws {
        try await Cluster.run(pods: [ResourceVector(cpus: 8000, gpus: 0, memory: 8000)]) { cluster in
            async let answer = cluster.client.send(.POST, "/gpu")
            await cluster.waiting(1)
            var configuration = TaskPodConfiguration()
            configuration.name = "new"
            configuration.total = ResourceVector(cpus: 1000, gpus: 1000, memory: 8000)
            let pod = try await TaskPodServer.start(configuration, group: cluster.group)
            cluster.backends.add(pod.url)
            await cluster.gateway.reload()
            #expect(try await answer.status == 200)
            #expect(pod.statistics().gpuRequests == 1)
            await pod.stop()
        }
    }

    @Test("events are passed on one by one as they come")
    func streams() async throws {
        try await Cluster.run { cluster in
            let answer = try await cluster.client.send(.POST, "/cpu?events=10&interval_ms=20")
            #expect(answer.status == 200)
            #expect(answer.headers.first(name: "Content-Type")?.hasPrefix("text/event-stream") == true)
            // Not all at once at the end: how soon each comes is measured by `make verify`.
            #expect(answer.partTimes.count >= 2)
            #expect(answer.text.contains("\"n\":9"))
        }
    }

    @Test("large bodies pass both ways unharmed")
    func largeBodies() async throws {
        try await Cluster.run { cluster in
            let bytes = (0..<8_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let upload = try await cluster.client.send(.POST, "/cpu", body: ByteBuffer(bytes: bytes))
            #expect(upload.status == 200)
            #expect(upload.text.contains("\"body_bytes\":8000000"))
            let download = try await cluster.client.send(.POST, "/cpu?bytes=8000000")
            #expect(download.body.readableBytes == 8_000_000)
        }
    }

    @Test("a client gets its pod's own status and headers, and the timing of its hold")
    func passesOn() async throws {
        try await Cluster.run { cluster in
            let answer = try await cluster.client.get("/anything?status=418")
            #expect(answer.status == 418)
            #expect(answer.headers.first(name: "Neutrino-Reason") == nil)
            #expect(
                answer.headers["Server-Timing"].contains { $0.contains("hold;dur=") && $0.contains("upstream;dur=") }
            )
            #expect(try await cluster.rows(1).first?.state == .completed)
        }
    }

    @Test("an idempotent request that a pod broke is answered by another")
    func repeats() async throws {
        try await Cluster.run { cluster in
            for _ in 0..<10 {
                let answer = try await cluster.client.get("/task?fail=reset&fail_on=pod-1")
                #expect(answer.status == 200)
            }
            let post = try await cluster.client.send(.POST, "/task?fail=reset")
            #expect(post.status == 502)
            #expect(post.headers.first(name: "Neutrino-Reason") == "upstream_reset")
        }
    }

    @Test("rows outlive a restart, and ids go on behind them")
    func restarts() async throws {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        for round in 1...2 {
            try await Cluster.run(folder: folder) { cluster in
                #expect(try await cluster.client.send(.POST, "/cpu").status == 200)
                let rows = try await cluster.rows(round)
                #expect(rows.count == round)
                #expect(rows.map(\.id) == rows.map(\.id).sorted(by: >))
            }
        }
    }
}
