import Core
import Foundation
import HTTP
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import TaskPod

@Suite("A sidecar")
struct SidecarTests {
    /// A sidecar before a port of this machine.
    private func sidecar(
        _ port: Int,
        _ change: (inout TaskPodConfiguration, inout UpstreamConfiguration) -> Void = { _, _ in }
    ) -> TaskPodConfiguration {
        configured { configuration in
            var upstream = UpstreamConfiguration(host: "127.0.0.1", port: port)
            change(&configuration, &upstream)
            configuration.work = .upstream(upstream)
        }
    }

    /// Runs a test against a sidecar, once its server is ready.
    private func withSidecar<Result>(
        _ configuration: TaskPodConfiguration,
        _ body: (TaskPodServer, any EventLoopGroup) async throws -> Result
    ) async throws -> Result {
        try await withPod(configuration) { server, group in
            let isReady = try await eventually { server.free != .zero }
            #expect(isReady)
            return try await body(server, group)
        }
    }

    @Test("passes requests and answers on in both directions, and keeps its own account")
    func passes() async throws {
        try await withPod(configured { $0.name = "behind" }) { behind, _ in
            try await withSidecar(sidecar(behind.port)) { server, group in
                let answer = try await request(
                    server,
                    .post,
                    "/a?x=1",
                    [("Neutrino-Resources", "gpus=1"), ("X-Own", "1"), ("Connection", "X-Own")],
                    body: "abc"
                )
                #expect(answer.status == 200)
                #expect(answer.text.contains(#""pod":"behind""#))
                #expect(answer.text.contains(#""path":"/a?x=1""#))
                #expect(answer.text.contains(#""body_bytes":3"#))
                #expect(answer.head.fields.values("neutrino-capacity").count == 1)
                #expect(try await request(server, .get, "/a?status=404").status == 404)
                let chunked = try await request(server, .get, "/a?bytes=3000000&chunked=1&trailer=1")
                #expect(chunked.body.readableBytes == 3_000_000)
                #expect(chunked.trailers?.first("neutrino-pod-trailer") == "0")
                let head = try await request(server, .head, "/a?bytes=77")
                #expect(head.head.fields.values("content-length") == ["77"])
                #expect(server.statistics().completed == 4)
                #expect(server.free == server.configuration.total)
                let old = try await RawExchange.run(
                    "GET /a?events=2&interval_ms=1 HTTP/1.0\r\n\r\n",
                    port: server.port,
                    group: group
                )
                #expect(old.contains("\"n\":1"))
                #expect(!old.lowercased().contains("transfer-encoding"))
            }
        }
    }

    @Test("a large body passes, with its length and in chunks", arguments: [true, false])
    func upload(_ hasLength: Bool) async throws {
        try await withPod { behind, _ in
            try await withSidecar(sidecar(behind.port)) { server, group in
                let client = try await TestClient(port: server.port, group: group)
                let (count, size) = (80, 100_000)
                let piece = ByteBuffer(repeating: 0x61, count: size)
                client.send(
                    .post,
                    "/a",
                    hasLength ? [("Content-Length", "\(count * size)")] : [("Transfer-Encoding", "chunked")]
                )
                for _ in 0..<count {
                    var bytes = ByteBuffer()
                    if !hasLength { MessageWriter.writeChunkStart(size: size, into: &bytes) }
                    bytes.writeImmutableBuffer(piece)
                    if !hasLength { bytes.writeStaticString("\r\n") }
                    try await client.send(bytes: bytes)
                }
                if !hasLength { try await client.send(bytes: ByteBuffer(staticString: "0\r\n\r\n")) }
                let answer = try await client.answer()
                #expect(answer.text.contains("\"body_bytes\":\(count * size)"))
                await client.close()
            }
        }
    }

    @Test("a slow reader holds the server back instead of filling the memory")
    func backpressure() async throws {
        try await withPod { behind, _ in
            try await withSidecar(sidecar(behind.port)) { server, group in
                let slow = try await TestClient(port: server.port, group: group)
                try await slow.channel.setOption(.autoRead, value: false).get()
                // More than the sockets on the way hold (Linux lets each grow to 4 or 6 MB).
                slow.send(.get, "/a?bytes=60000000")
                #expect(try await eventually { server.statistics().running == 1 })
                // While more than twice as much passes on another connection, this one does not move on.
                let other = try await TestClient(port: server.port, group: group)
                other.send(.get, "/a?bytes=150000000")
                var count = 0
                reading: while true {
                    switch try await other.next() {
                    case .body(let bytes): count += bytes.readableBytes
                    case .end: break reading
                    case .head, .informational, .invalid: break
                    }
                }
                #expect(count == 150_000_000)
                #expect(behind.statistics().completed == 1)
                #expect(server.statistics().running == 1)
                try await slow.channel.setOption(.autoRead, value: true).get()
                #expect(try await slow.answer().body.readableBytes == 60_000_000)
                await slow.close()
                await other.close()
            }
        }
    }

    @Test("admits what fits and answers 503 to the rest, which the server never sees")
    func admission() async throws {
        try await withPod { behind, _ in
            try await withSidecar(sidecar(behind.port) { configuration, _ in configuration.workers = 2 }) { server, _ in
                let statuses = try await withThrowingTaskGroup(of: Int.self) { tasks in
                    for _ in 0..<20 { tasks.addTask { try await request(server, .get, "/a?ms=30").status } }
                    return try await tasks.reduce(into: []) { $0.append($1) }
                }
                let taken = statuses.count { $0 == 200 }
                #expect(taken >= 2 && statuses.allSatisfy { $0 == 200 || $0 == 503 })
                #expect(server.statistics().peakRunning == 2)
                #expect(behind.statistics().accepted == taken)
                #expect(behind.statistics().peakRunning <= 2)
                #expect(server.statistics().refused == 20 - taken)
            }
        }
    }

    @Test("keeps the slot of a client that left until the server answers, or until the grace has passed")
    func cancelGrace() async throws {
        try await withPod { behind, _ in
            for (grace, outlives) in [(TimeAmount.seconds(60), true), (.milliseconds(50), false), (.zero, false)] {
                try await withSidecar(sidecar(behind.port) { $1.cancelGrace = grace }) { server, group in
                    let (completed, cancelled) = (behind.statistics().completed, behind.statistics().cancelled)
                    let client = try await TestClient(port: server.port, group: group)
                    client.send(.get, "/a?ms=250")
                    #expect(try await eventually { behind.statistics().running == 1 })
                    await client.close()
                    #expect(try await eventually { server.statistics().cancelled == 1 })
                    #expect(try await eventually { behind.statistics().running == 0 })
                    #expect(behind.statistics().completed - completed == (outlives ? 1 : 0))
                    #expect(behind.statistics().cancelled - cancelled == (outlives ? 0 : 1))
                    #expect(server.free == server.configuration.total)
                }
            }
        }
    }

    @Test("reports nothing free until the server is ready, and again when it is gone")
    func readiness() async throws {
        // A port that nobody listens on.
        let port = try await withPod { server, _ in server.port }
        try await withPod(sidecar(port) { $1.readyPath = "/health" }) { server, group in
            let capacity = try await request(server, .get, "/capacity")
            #expect(capacity.text.hasPrefix(#"{"available_cpus":0,"#))
            #expect(try await request(server, .get, "/health").status == 503)
            let refused = try await request(server, .get, "/a")
            #expect(refused.status == 503)
            #expect(refused.text.contains("the server behind this pod is not ready"))
            try await withPod(configured { $0.port = port }) { behind, _ in
                let isReady = try await eventually { server.free != .zero }
                #expect(isReady)
                let answer = try await request(server, .get, "/a")
                #expect(answer.status == 200)
            }
            let gone = try await request(server, .get, "/a")
            #expect(gone.status == 503 || gone.status == 502)
            #expect(try await eventually { server.free == .zero })
        }
    }

    /// What stands for the server at a port of this machine, without the pod around it.
    private func server(behind port: Int) -> (UpstreamServer, PodState, any EventLoop) {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let state = PodState(TaskPodConfiguration(), eventLoop: eventLoop)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let server = UpstreamServer(UpstreamConfiguration(host: "127.0.0.1", port: port), state: state, logger: logger)
        return (server, state, eventLoop)
    }

    @Test("a server that is not there is told by its address, in words")
    func nobody() async throws {
        let port = try await withPod { server, _ in server.port }
        let (server, state, eventLoop) = server(behind: port)
        defer { state.forget() }
        let error = await #expect(throws: (any Error).self) { try await server.connect(on: eventLoop).get() }
        #expect(server.words(of: try #require(error)) == "nobody listens at 127.0.0.1:\(port)")
    }

    @Test(
        "a server that is reached and does not say whether it can work is told by what it did",
        arguments: [
            ("", false, "/health was not answered within 0.02 s"),
            ("", true, "the connection ended before /health was answered"),
            ("nonsense\r\n\r\n", false, "the answer to /health is not HTTP: "),
        ]
    )
    func noAnswer(_ answer: String, _ thenCloses: Bool, _ told: String) async throws {
        let scripted = try await ScriptedServer(answer: answer, thenCloses: thenCloses)
        let (server, state, eventLoop) = server(behind: scripted.port)
        defer { state.forget() }
        let timeout = TimeAmount.milliseconds(told.contains("within") ? 20 : 60_000)
        let error = await #expect(throws: TaskPodError.self) {
            let answered = server.connect(on: eventLoop).flatMap { channel in
                ReadinessProbe.ask(channel, path: "/health", host: "pod", timeout: timeout)
            }
            _ = try await answered.get()
        }
        #expect(error?.code == .noAnswer)
        #expect(server.words(of: try #require(error)).hasPrefix(told), "\(error?.message ?? "")")
        await scripted.close()
    }

    @Test(
        "a server that breaks off gives 502 before its answer and a broken answer in it",
        arguments: [
            ("fail=close", 502, false), ("fail=reset", 502, false), ("fail=garbage", 502, false),
            ("fail=cut&bytes=1000", 200, true), ("fail=cut&bytes=1000&chunked=1", 200, true),
        ]
    )
    func breaks(_ query: String, _ status: Int, _ isBroken: Bool) async throws {
        try await withPod { behind, _ in
            try await withSidecar(sidecar(behind.port)) { server, _ in
                let answer = try await request(server, .get, "/a?\(query)")
                #expect(answer.status == status)
                #expect((answer.broken != nil) == isBroken)
                #expect(try await eventually { server.statistics().failed == 1 })
                #expect(server.free == server.configuration.total)
            }
        }
    }

    @Test("what a gateway sent is broken off without an answer, so that the gateway can try it elsewhere")
    func breaksForGateway() async throws {
        try await withPod { behind, _ in
            try await withSidecar(sidecar(behind.port)) { server, _ in
                await #expect(throws: TestClient.Closed.self) {
                    try await request(server, .get, "/a?fail=close", [("Neutrino-Request-Id", "0AMCGAA6W0000")])
                }
                let isCounted = try await eventually { server.statistics().failed == 1 }
                #expect(isCounted)
                #expect(server.free == server.configuration.total)
            }
        }
    }

    @Test("an answer that the end of the connection delimits becomes a whole one")
    func untilClose() async throws {
        let scripted = try await ScriptedServer(answer: "HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nhello", thenCloses: true)
        try await withSidecar(sidecar(scripted.port)) { server, _ in
            let answer = try await request(server, .get, "/a")
            #expect(answer.text == "hello")
            #expect(answer.broken == nil && answer.keepAlive)
            #expect(answer.head.fields.first("x-a") == "1")
            #expect(answer.head.fields.first("transfer-encoding") == "chunked")
        }
        await scripted.close()
    }

    @Test("an upload that stalls gives its slot back")
    func stalledUpload() async throws {
        try await withPod { behind, _ in
            let configuration = sidecar(behind.port) { configuration, _ in
                configuration.bodyTimeout = .milliseconds(50)
                configuration.headTimeout = .milliseconds(50)
            }
            try await withSidecar(configuration) { server, group in
                let client = try await TestClient(port: server.port, group: group)
                client.send(.post, "/a", [("Content-Length", "10"), ("Neutrino-Resources", "cpus=1, gpus=1")])
                let answer = try await client.answer()
                #expect(answer.status == 408)
                #expect(!answer.keepAlive)
                #expect(try await eventually { server.free == server.configuration.total })
                #expect(server.statistics().cancelled == 1)
                await client.close()
                let head = try await RawExchange.run("GET /a HT", port: server.port, group: group)
                #expect(head.hasPrefix("HTTP/1.1 408 "))
                // Whoever is only waited for has all the time there is.
                #expect(try await request(server, .get, "/a?ms=150").status == 200)
            }
        }
    }

    @Test("field bytes that are not UTF-8 pass as they came")
    func fieldBytes() async throws {
        var bytes = ByteBuffer(string: "HTTP/1.1 200 OK\r\nX-Name: caf")
        bytes.writeInteger(UInt8(0xE9))
        bytes.writeString("\r\nContent-Length: 2\r\n\r\nok")
        let scripted = try await ScriptedServer(answer: bytes, thenCloses: false)
        try await withSidecar(sidecar(scripted.port)) { server, group in
            let answer = try await RawExchange.bytes(
                "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                port: server.port,
                group: group
            )
            let expected: [UInt8] = Array("X-Name: caf".utf8) + [0xE9, 0x0D, 0x0A]
            #expect(Array(answer.readableBytesView).firstRange(of: expected) != nil)
        }
        await scripted.close()
    }

    @Test("connections to the server are used again where it allows that", arguments: [true, false])
    func reuse(_ isKept: Bool) async throws {
        let scripted = try await ScriptedServer(
            answer: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(isKept ? "" : "Connection: close\r\n")\r\nok",
            thenCloses: !isKept
        )
        try await withSidecar(sidecar(scripted.port)) { server, group in
            // One was made to see whether the server is there.
            #expect(try await eventually { scripted.connections == 1 })
            let client = try await TestClient(port: server.port, group: group)
            for _ in 0..<5 {
                client.send(.get, "/a")
                #expect(try await client.answer().text == "ok")
            }
            await client.close()
            #expect(scripted.connections == (isKept ? 2 : 6))
        }
        await scripted.close()
    }

    @Test("stands before a server of Python's library")
    func python() async throws {
        let python = Process()
        python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        python.arguments = [
            "python3", "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", "/proc/self",
        ]
        let output = Pipe()
        python.standardOutput = output
        python.standardError = FileHandle.nullDevice
        try python.run()
        defer { python.terminate() }
        // "Serving HTTP on 127.0.0.1 port 41234 (http://…) ..."
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let words = line.split(separator: " ")
        let port = try #require(words.firstIndex(of: "port").flatMap { Int(words[$0 + 1]) }, "\(line)")
        try await withSidecar(sidecar(port) { $1.readyPath = "/" }) { server, group in
            #expect(try await request(server, .get, "/nothing").status == 404)
            let client = try await TestClient(port: server.port, group: group)
            for _ in 0..<3 {
                client.send(.get, "/")
                let answer = try await client.answer()
                #expect(answer.status == 200)
                #expect(answer.text.contains("Directory listing"))
            }
            await client.close()
            #expect(server.statistics().completed == 4)
        }
    }
}
