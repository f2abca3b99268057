import Core
import Dispatch
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Pods
import Testing

@Suite("Connections to pods", .eachCodec)
struct UpstreamPoolTests {
    @Test("a connection is used again, as long as it is not idle for too long")
    func reuse() async throws {
        let server = try await TestServer { $0.answer("\($0.connection)") }
        let upstream = try Upstream()
        let pod = Pod(server)
        for _ in 0..<5 {
            #expect(try await upstream.answer(from: pod).body == "0")
            try await upstream.advance(.milliseconds(3999))
        }
        // It is closed from here, without anybody asking for it.
        try await upstream.advance(.milliseconds(1))
        await server.closed(1)
        #expect(try await upstream.answer(from: pod).body == "1")
        try await server.stop()
    }

    @Test("a pod that says how long it keeps connections is taken at its word")
    func keepAliveField() async throws {
        let server = try await TestServer { exchange in
            exchange.answer(
                "\(exchange.connection)",
                fields: "Keep-Alive: max=100, timeout=\(exchange.path.dropFirst())\r\n"
            )
        }
        let upstream = try Upstream()
        let pod = Pod(server)
        #expect(try await upstream.answer(Upstream.request(.get, "/0"), from: pod).body == "0")
        await server.closed(1)
        #expect(try await upstream.answer(Upstream.request(.get, "/600"), from: pod).body == "1")
        #expect(try await upstream.answer(Upstream.request(.get, "/1"), from: pod).body == "1")
        // Half a second of the one: well before the configured four.
        try await upstream.advance(.milliseconds(500))
        await server.closed(2)
        #expect(try await upstream.answer(Upstream.request(.get, "/5"), from: pod).body == "2")
        try await server.stop()
    }

    @Test("what must not be sent twice goes on fresh connections only, and takes no idle one away")
    func fresh() async throws {
        let server = try await TestServer { $0.answer("\($0.connection)") }
        let upstream = try Upstream()
        let pod = Pod(server)
        let once = Upstream.request(.post, mayReuseIdle: false)
        #expect(try await upstream.answer(once, from: pod).body == "0")
        try await upstream.advance(.milliseconds(999))
        #expect(try await upstream.answer(once, from: pod).body == "0")
        try await upstream.advance(.milliseconds(1000))
        #expect(try await upstream.answer(once, from: pod).body == "1")
        try await upstream.advance(.milliseconds(1000))
        #expect(try await upstream.answer(from: pod).body == "1", "the one used last")
        try await server.stop()
    }

    @Test("the connection used last is used first, so that the others grow old")
    func lastInFirstOut() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer { exchanges.put($0) }
        let upstream = try Upstream()
        let pod = Pod(server)
        let (first, second) = (Recorder(), Recorder())
        try await upstream.begin(Upstream.request(), to: pod, first)
        let one = await exchanges.next()
        try await upstream.begin(Upstream.request(), to: pod, second)
        let two = await exchanges.next()
        two.answer()
        _ = try await second.answer()
        one.answer()
        _ = try await first.answer()
        for _ in 0..<5 {
            async let answer = upstream.answer(from: pod)
            let exchange = await exchanges.next()
            #expect(exchange.connection == one.connection)
            exchange.answer()
            _ = try await answer
            try await upstream.advance(.seconds(1))
        }
        await server.closed(1)
        #expect(server.accepted == 2)
        try await server.stop()
    }

    @Test("no more idle connections are kept than configured")
    func bounded() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer { exchanges.put($0) }
        let upstream = try Upstream { $0.maximumIdleConnections = 2 }
        let recorders = (0..<5).map { _ in Recorder() }
        for recorder in recorders { try await upstream.begin(Upstream.request(), to: Pod(server), recorder) }
        for _ in recorders { await exchanges.next().answer() }
        for recorder in recorders { _ = try await recorder.answer() }
        await server.closed(3)
        try await server.stop()
    }

    @Test("a connection that the pod closed while it was idle is not used")
    func closedIdle() async throws {
        let channels = Mailbox<any Channel>()
        let server = try await TestServer(onConnection: { channels.put($0) }) { $0.answer("\($0.connection)") }
        let upstream = try Upstream()
        let pod = Pod(server)
        #expect(try await upstream.answer(from: pod).body == "0")
        try await channels.next().close()
        // The end is on its way through loopback; a call that meets it is a reset, one after it goes elsewhere.
        var body = ""
        while body.isEmpty {
            do { body = try await upstream.answer(from: pod).body } catch let failure as PodCallFailure {
                #expect(failure.kind == .reset || failure.kind == .connectFailed)
            }
        }
        #expect(body == "1")
        try await server.stop()
    }

    @Test("a pod that closes as a kept connection is used again is a reset: it may have begun")
    func closedAtReuse() async throws {
        let server = try await TestServer { exchange in
            if exchange.index == 0 { exchange.answer() } else { exchange.close() }
        }
        let upstream = try Upstream()
        let pod = Pod(server)
        _ = try await upstream.answer(from: pod)
        let error = await #expect(throws: PodCallFailure.self) { try await upstream.answer(from: pod) }
        #expect(error?.kind == .reset)
        try await server.stop()
    }

    @Test("a kept connection that was reset before it took a byte is replaced without anybody noticing")
    func resetBeforeReuse() async throws {
        let channels = Mailbox<any Channel>()
        let server = try await TestServer(onConnection: { channels.put($0) }) { $0.answer("\($0.connection)") }
        // A thread of its own, to be held up while the reset arrives.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let upstream = try Upstream(on: group.next())
        let pod = Pod(server)
        #expect(try await upstream.answer(from: pod).body == "0")
        let channel = await channels.next()
        let recorder = Recorder()
        let isReset = DispatchSemaphore(value: 0)
        try await upstream.loop.submit {
            (channel as! any SocketOptionProvider).setSoLinger(linger(l_onoff: 1, l_linger: 0))
                .flatMap { channel.close() }
                .whenComplete { _ in isReset.signal() }
            // Loopback delivers within the closing call.
            isReset.wait()
            _ = upstream.transport.send(
                Upstream.request(.post, mayReuseIdle: false),
                to: pod,
                on: upstream.loop,
                receiver: recorder
            )
        }.get()
        #expect(try await recorder.answer().body == "1")
        try await server.stop()
        try await group.shutdownGracefully()
    }

    @Test(
        "a connection is not used again where the answer says so, or more came than the answer",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        ]
    )
    func notAgain(bytes: String) async throws {
        let server = try await TestServer { $0.write(bytes) }
        let upstream = try Upstream()
        let pod = Pod(server)
        for _ in 0..<3 { #expect(try await upstream.answer(from: pod).body == "ok") }
        #expect(server.accepted == 3)
        await server.closed(3)
        try await server.stop()
    }

    @Test("bytes that come on an idle connection close it")
    func unsolicited() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer {
            exchanges.put($0)
            $0.answer("\($0.connection)")
        }
        let upstream = try Upstream()
        let pod = Pod(server)
        _ = try await upstream.answer(from: pod)
        await exchanges.next().answer("evil")
        await server.closed(1)
        #expect(try await upstream.answer(from: pod).body == "1")
        try await server.stop()
    }

    @Test("a request may be sent from where an answer ends")
    func reentrant() async throws {
        let server = try await TestServer { $0.answer($0.path) }
        let upstream = try Upstream()
        let pod = Pod(server)
        let (first, second) = (Recorder(), Recorder())
        first.hook = { event in
            guard case .end = event else { return }
            _ = upstream.transport.send(Upstream.request(.get, "/2"), to: pod, on: upstream.loop, receiver: second)
        }
        try await upstream.begin(Upstream.request(.get, "/1"), to: pod, first)
        #expect(try await first.answer().body == "/1")
        #expect(try await second.answer().body == "/2")
        try await server.stop()
    }

    @Test("a thousand calls at once each get their own answer")
    func many() async throws {
        let server = try await TestServer { $0.answer($0.path) }
        let upstream = try Upstream()
        let pod = Pod(server)
        for _ in 0..<5 {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let answer = try await upstream.answer(Upstream.request(.get, "/\(number)"), from: pod)
                        #expect(answer.body == "/\(number)")
                    }
                }
                try await group.waitForAll()
            }
        }
        #expect(server.accepted <= 1000)
        try await server.stop()
    }
}
