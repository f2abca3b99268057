import Core
import NIOConcurrencyHelpers
import NIOCore
import Pods
import Testing

@Suite("An exchange with a pod", .eachCodec)
struct UpstreamExchangeTests {
    @Test("the request arrives as it is to be forwarded, framed by the transport")
    func requestBytes() async throws {
        let server = try await TestServer { $0.answer("\($0.head)|\(String(decoding: $0.body, as: UTF8.self))") }
        let upstream = try Upstream()
        let get = try await upstream.answer(
            Upstream.request(.get, "/a/../b?c=%2F", fields: [("HOST", "a.b"), ("x-Mixed", "1")]),
            from: Pod(server)
        )
        #expect(
            get.body == "GET /a/../b?c=%2F HTTP/1.1\r\nHOST: a.b\r\nx-Mixed: 1\r\nNeutrino-Request-Id: 01|"
        )
        let post = try await upstream.answer(
            Upstream.request(.post, "/", body: .memory(ByteBuffer(string: "hello")), fields: []),
            from: Pod(server)
        )
        #expect(
            post.body
                == "POST / HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nNeutrino-Request-Id: 01\r\nContent-Length: 5|hello"
        )
        #expect(try await upstream.answer(Upstream.request(.put), from: Pod(server)).body.contains("Content-Length: 0"))
        try await server.stop()
    }

    @Test(
        "bodies around the size that goes with the head arrive whole",
        arguments: [16 * 1024, 16 * 1024 + 1, 250_000]
    )
    func bodySizes(size: Int) async throws {
        let server = try await TestServer { exchange in
            let isRight = exchange.body == TestServer.pattern(exchange.body.count)
            exchange.answer("\(exchange.body.count) \(isRight)")
        }
        let body = ByteBuffer(bytes: TestServer.pattern(size))
        let answer = try await Upstream().answer(Upstream.request(.post, body: .memory(body)), from: Pod(server))
        #expect(answer.body == "\(size) true")
        try await server.stop()
    }

    @Test("hop-by-hop fields of an answer go, the rest stays as it was")
    func hopByHop() async throws {
        let server = try await TestServer { exchange in
            exchange.write(
                "HTTP/1.1 299 Fine\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n"
                    + "x-KEPT: a  b\r\nContent-Length: 2\r\nUpgrade: h2c\r\n\r\nok"
            )
        }
        let answer = try await Upstream().answer(from: Pod(server))
        #expect(answer.status == 299)
        #expect(answer.head.fields.pairs.map(\.name) == ["x-KEPT", "Content-Length"])
        #expect(answer.head.fields.first("x-kept") == "a  b")
        #expect(answer.framing == .length(2) && answer.body == "ok")
        try await server.stop()
    }

    @Test("chunks are passed on as they come, with trailers")
    func chunked() async throws {
        let server = try await TestServer { exchange in
            exchange.write(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 7\r\n\r\n"
            )
        }
        let answer = try await Upstream().answer(from: Pod(server))
        #expect(answer.framing == .chunked && answer.body == "abcde")
        #expect(answer.head.fields.isEmpty)
        #expect(answer.trailers?.first("x-sum") == "7")
        try await server.stop()
    }

    @Test("a piece of an answer is passed on before the next is sent")
    func streaming() async throws {
        let connection = Mailbox<TestServer.Exchange>()
        let server = try await TestServer { connection.put($0) }
        let recorder = Recorder()
        try await Upstream().begin(Upstream.request(), to: Pod(server), recorder)
        let exchange = await connection.next()
        exchange.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(await recorder.next().name == "head 200 chunked")
        for number in 1...3 {
            exchange.write("5\r\ndata\(number)\r\n")
            #expect(await recorder.next().name == "body 5")
        }
        exchange.write("0\r\n\r\n")
        #expect(await recorder.next().name == "end")
        try await server.stop()
    }

    @Test(
        "answers without a body end with their head",
        arguments: [
            (RequestMethod.head, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
            (.get, "HTTP/1.1 204 No Content\r\n\r\n"),
            (.get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
        ]
    )
    func bodiless(method: RequestMethod, bytes: String) async throws {
        let server = try await TestServer { $0.write(bytes) }
        let upstream = try Upstream()
        let pod = Pod(server)
        for _ in 0..<2 {
            let answer = try await upstream.answer(Upstream.request(method), from: pod)
            #expect(answer.framing == .none && answer.body.isEmpty)
        }
        #expect(server.accepted == 1, "the connection is used again")
        try await server.stop()
    }

    @Test("interim answers are swallowed")
    func interim() async throws {
        let server = try await TestServer { exchange in
            exchange.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
            exchange.answer("done")
        }
        let recorder = Recorder()
        try await Upstream().begin(Upstream.request(), to: Pod(server), recorder)
        #expect(await recorder.next().name == "head 200 length(4)")
        try await server.stop()
    }

    @Test(
        "what is no answer is refused",
        arguments: [
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 100_000) + "\r\n\r\n",
            String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 200),
        ]
    )
    func invalid(bytes: String) async throws {
        let server = try await TestServer { $0.write(bytes) }
        let error = await #expect(throws: PodCallFailure.self) { try await Upstream().answer(from: Pod(server)) }
        #expect(error?.kind == .invalidAnswer, "\(error?.description ?? "")")
        await server.closed(1)
        try await server.stop()
    }

    @Test(
        "an answer that is cut off is a reset, never an end",
        arguments: [
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Le",
        ]
    )
    func cut(bytes: String) async throws {
        let server = try await TestServer { exchange in
            exchange.write(bytes)
            exchange.close()
        }
        let error = await #expect(throws: PodCallFailure.self) { try await Upstream().answer(from: Pod(server)) }
        #expect(error?.kind == .reset, "\(error?.description ?? "")")
        try await server.stop()
    }

    @Test("an answer delimited by the end of the connection ends with it")
    func untilClose() async throws {
        let server = try await TestServer { exchange in
            exchange.write("HTTP/1.0 200 OK\r\n\r\nall of it")
            exchange.close()
        }
        let answer = try await Upstream().answer(from: Pod(server))
        #expect(answer.framing == .untilClose && answer.body == "all of it")
        try await server.stop()
    }

    @Test("a pod that closes instead of answering is a reset")
    func closed() async throws {
        let server = try await TestServer { $0.close() }
        let error = await #expect(throws: PodCallFailure.self) { try await Upstream().answer(from: Pod(server)) }
        #expect(error?.kind == .reset)
        try await server.stop()
    }

    @Test("a pod where nobody listens, or whose name does not exist, has not seen a byte", arguments: [true, false])
    func refused(isName: Bool) async throws {
        let server = try await TestServer { $0.answer() }
        try await server.stop()
        let pod =
            isName ? Pod(key: 1, description: PodDescription(host: "no-such-pod.invalid", port: 80)) : Pod(server)
        let error = await #expect(throws: PodCallFailure.self) { try await Upstream().answer(from: pod) }
        #expect(error?.kind == .connectFailed)
        let told =
            isName ? "no address was found for no-such-pod.invalid:80: " : "nobody listens at 127.0.0.1:\(server.port)"
        #expect(error?.detail.hasPrefix(told) == true, "\(error?.detail ?? "")")
    }

    @Test("a pod may be a host name")
    func hostName() async throws {
        let server = try await TestServer { $0.answer("here") }
        let pod = Pod(key: 1, description: PodDescription(host: "localhost", port: server.port))
        #expect(try await Upstream().answer(from: pod).body == "here")
        try await server.stop()
    }

    @Test("no answer in time is told, and the pod sees the end")
    func firstByte() async throws {
        let server = try await TestServer { $0.write("HTTP/1.1 100 Continue\r\n\r\n") }
        let upstream = try Upstream()
        let recorder = Recorder()
        try await upstream.begin(Upstream.request(timeout: .seconds(300)), to: Pod(server), recorder)
        #expect(await recorder.events.next().name == "written")
        try await upstream.advance(.milliseconds(299_999))
        try await upstream.advance(.milliseconds(1))
        guard case .failed(let failure) = await recorder.next() else { return #expect(Bool(false), "it is too late") }
        #expect(failure.kind == .firstByteTimeout)
        #expect(failure.detail == "no answer within 300.0 s")
        await server.closed(1)
        try await server.stop()
    }

    @Test("an answer that comes in time is not late, however long the call lasts")
    func inTime() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer { exchanges.put($0) }
        let upstream = try Upstream()
        let recorder = Recorder()
        try await upstream.begin(Upstream.request(timeout: .seconds(300)), to: Pod(server), recorder)
        #expect(await recorder.events.next().name == "written")
        try await upstream.advance(.milliseconds(299_999))
        await exchanges.next().answer()
        #expect(try await recorder.answer().body == "ok")
        try await upstream.advance(.seconds(1))
        try await server.stop()
    }

    @Test("an answer that stalls is told; one that trickles is not")
    func stall() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer { exchanges.put($0) }
        let upstream = try Upstream { $0.streamIdleTimeout = .seconds(300) }
        let recorder = Recorder()
        try await upstream.begin(Upstream.request(), to: Pod(server), recorder)
        let exchange = await exchanges.next()
        exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n")
        #expect(await recorder.next().name == "head 200 length(12)")
        for _ in 0..<10 {
            try await upstream.advance(.seconds(299))
            exchange.write("x")
            #expect(await recorder.next().name == "body 1")
        }
        try await upstream.advance(.seconds(299))
        try await upstream.advance(.seconds(300))
        guard case .failed(let failure) = await recorder.next() else { return #expect(Bool(false), "it stalled") }
        #expect(failure.kind == .idleTimeout)
        #expect(failure.detail == "the answer stalled for 300.0 s")
        try await server.stop()
    }

    @Test("a call that is cancelled tells nothing more, and the pod sees that nobody waits", arguments: [false, true])
    func cancel(inAnswer: Bool) async throws {
        let connection = Mailbox<TestServer.Exchange>()
        let server = try await TestServer { exchange in
            if inAnswer { exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") }
            connection.put(exchange)
        }
        let upstream = try Upstream()
        let recorder = Recorder()
        let call = try await upstream.begin(Upstream.request(), to: Pod(server), recorder)
        let exchange = await connection.next()
        if inAnswer {
            #expect(await recorder.next().name.hasPrefix("head"))
            #expect(await recorder.next().name == "body 3")
        }
        try await upstream.loop.submit {
            recorder.hook = { #expect(Bool(false), "after the cancellation came \($0.name)") }
            call.call.cancel()
            call.call.cancel()
            call.call.setReading(false)
        }.get()
        exchange.answer("late")
        await server.closed(1)
        try await server.stop()
    }

    @Test("a call may be cancelled before its connection came about")
    func cancelBeforeConnecting() async throws {
        let server = try await TestServer { _ in #expect(Bool(false), "nothing is sent") }
        let upstream = try Upstream()
        let recorder = Recorder()
        recorder.hook = { #expect(Bool(false), "after the cancellation came \($0.name)") }
        try await upstream.loop.submit {
            upstream.transport.send(Upstream.request(), to: Pod(server), on: upstream.loop, receiver: recorder).cancel()
        }.get()
        await server.closed(1)
        try await server.stop()
    }

    @Test("an answer that comes before the request was sent is passed on, and its connection is not used again")
    func earlyAnswer() async throws {
        let server = try await TestServer(moment: .headThenNoReading) { exchange in
            exchange.answer("too large", status: "413 Content Too Large")
        }
        let upstream = try Upstream()
        let body = ByteBuffer(repeating: 0, count: 32 << 20)
        let recorder = Recorder()
        recorder.hook = { if case .written = $0 { #expect(Bool(false), "it was never written whole") } }
        try await upstream.begin(Upstream.request(.post, body: .memory(body)), to: Pod(server), recorder)
        let answer = try await recorder.answer()
        #expect(answer.status == 413 && answer.body == "too large")
        let second = try await upstream.answer(from: Pod(server))
        #expect(second.status == 413)
        #expect(server.accepted == 2)
        try await server.stop()
    }

    @Test("a pod that takes nothing of a request is given up")
    func stalledUpload() async throws {
        let exchanges = Mailbox<TestServer.Exchange>()
        let server = try await TestServer(moment: .headThenNoReading) { exchanges.put($0) }
        let upstream = try Upstream { $0.streamIdleTimeout = .seconds(300) }
        let body = ByteBuffer(repeating: 0, count: 32 << 20)
        let recorder = Recorder()
        try await upstream.begin(Upstream.request(.post, body: .memory(body)), to: Pod(server), recorder)
        _ = await exchanges.next()
        try await upstream.advance(.seconds(1))
        try await upstream.advance(.seconds(299))
        try await upstream.advance(.seconds(1))
        guard case .failed(let failure) = await recorder.next() else { return #expect(Bool(false), "it stalled") }
        #expect(failure.kind == .firstByteTimeout)
        #expect(failure.detail.contains("took nothing"))
        try await server.stop()
    }

    @Test("a connection that does not come about in time is given up, by the handshake's time too")
    func connectTimeout() async throws {
        let channels = Mailbox<any Channel>()
        let server = try await TestServer(onConnection: { channels.put($0) }) { _ in }
        let upstream = try Upstream()
        let recorder = Recorder()
        let pod = Pod(key: 1, description: PodDescription(scheme: .https, host: "127.0.0.1", port: server.port))
        try await upstream.begin(Upstream.request(), to: pod, recorder)
        _ = await channels.next()
        try await upstream.advance(.seconds(60))
        guard case .failed(let failure) = await recorder.next() else { return #expect(Bool(false), "it is too late") }
        #expect(failure.kind == .connectFailed)
        await server.closed(1)
        try await server.stop()
    }
}
