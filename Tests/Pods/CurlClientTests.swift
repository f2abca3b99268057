import NIOConcurrencyHelpers
import NIOCore
import Pods
import Testing

@Suite("The control plane's HTTP client")
struct CurlClientTests {
    private let client = CurlClient()

    private func request(_ server: TestServer, _ path: String = "/capacity") -> CurlRequest {
        var request = CurlRequest(url: "http://127.0.0.1:\(server.port)\(path)")
        request.connectTimeout = .seconds(60)
        request.timeout = .seconds(60)
        return request
    }

    @Test("it sends what it was given, takes the answer whole, and uses a connection again")
    func exchange() async throws {
        let server = try await TestServer { $0.answer("\($0.head)|\(String(decoding: $0.body, as: UTF8.self))") }
        var request = request(server, "/a?b=c")
        request.fields = [("Accept", "application/json"), ("X-One", "1")]
        let first = try await client.send(request)
        #expect(first.status == 200)
        let text = String(decoding: first.body, as: UTF8.self)
        #expect(text.hasPrefix("GET /a?b=c HTTP/1.1\r\n"))
        #expect(text.contains("Accept: application/json\r\n") && text.contains("X-One: 1"))

        request.method = "PATCH"
        request.body = Array("{\"hold_timeout\":1}".utf8)
        request.fields = []
        let second = String(decoding: try await client.send(request).body, as: UTF8.self)
        #expect(second.hasPrefix("PATCH /a?b=c HTTP/1.1\r\n"))
        #expect(second.hasSuffix("|{\"hold_timeout\":1}"))
        #expect(!second.contains("X-One") && !second.lowercased().contains("expect"))

        // Nothing of the exchange before is left in the handle.
        request = CurlRequest(url: request.url)
        let third = String(decoding: try await client.send(request).body, as: UTF8.self)
        #expect(third.hasPrefix("GET ") && third.hasSuffix("|"))
        // Nor is the connection kept for one path.
        _ = try await client.send(self.request(server, "/another"))
        #expect(server.accepted == 1)
        try await server.stop()
    }

    @Test("connections that are used no more are closed", .timeLimit(.minutes(1)))
    func unused() async throws {
        let client = CurlClient(unusedTime: .zero)
        var servers: [TestServer] = []
        for _ in 0..<5 { servers.append(try await TestServer { $0.answer("") }) }
        for server in servers { _ = try await client.send(request(server)) }
        // Those of one are kept near another's now and then: not all four's.
        while !servers.dropLast().contains(where: { $0.closedCount > 0 }) {
            _ = try await client.send(request(servers[4]))
        }
        #expect(servers[4].accepted == 1)
        for server in servers { try await server.stop() }
    }

    @Test("any status is an answer, and a redirect is not followed")
    func statuses() async throws {
        let server = try await TestServer { exchange in
            exchange.answer("", status: "302 Found", fields: "Location: http://127.0.0.1:1/\r\n")
        }
        #expect(try await client.send(request(server)).status == 302)
        try await server.stop()
    }

    @Test("an answer over its bound ends the exchange, with and without Content-Length")
    func bounded() async throws {
        let server = try await TestServer { exchange in
            if exchange.path == "/length" {
                exchange.answer(String(repeating: "x", count: 1001))
            } else {
                exchange.write("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 100_000))
            }
        }
        for path in ["/length", "/endless"] {
            var request = request(server, path)
            request.maximumBytes = 1000
            let error = await #expect(throws: PodsError.self) { try await client.send(request) }
            #expect(error?.code == .tooLarge)
        }
        try await server.stop()
    }

    @Test("fields are kept where they are asked for, and a sink takes the body of what succeeded, however large")
    func fieldsAndSink() async throws {
        let server = try await TestServer { exchange in
            let isMissing = exchange.path == "/missing"
            exchange.answer(
                String(repeating: "x", count: isMissing ? 5 : 300_000),
                status: isMissing ? "404 Not Found" : "200 OK",
                fields: "Location: /a:b\r\nX-Empty:\r\n"
            )
        }
        let taken = NIOLockedValueBox(0)
        var request = request(server, "/large")
        request.maximumBytes = 1000
        request.keepsFields = true
        request.sink = { bytes in
            taken.withLockedValue { $0 += bytes.count }
            return true
        }
        let answer = try await client.send(request)
        #expect(answer.field("location") == "/a:b" && answer.field("X-Empty") == "" && answer.field("X-None") == nil)
        #expect(answer.body.isEmpty && taken.withLockedValue { $0 } == 300_000)

        request.url = "http://127.0.0.1:\(server.port)/missing"
        let missing = try await client.send(request)
        #expect(missing.status == 404 && missing.body.count == 5)

        request.url = "http://127.0.0.1:\(server.port)/large"
        request.sink = { _ in false }
        let error = await #expect(throws: PodsError.self) { try await client.send(request) }
        #expect(error?.code == .transferFailed)
        // Nothing of it is left in the handle.
        #expect(try await client.send(self.request(server, "/missing")).fields.isEmpty)
        try await server.stop()
    }

    @Test("field lines without end are not taken either")
    func boundedFields() async throws {
        let server = try await TestServer { exchange in
            exchange.write("HTTP/1.1 200 OK\r\n" + String(repeating: "X-Filler: 0123456789\r\n", count: 10_000))
        }
        let error = await #expect(throws: PodsError.self) { try await client.send(request(server)) }
        #expect(error?.code == .transferFailed)
        try await server.stop()
    }

    @Test(
        "a server that says nothing, and one that trickles, are given up after the timeout",
        arguments: [false, true]
    )
    func timeout(trickles: Bool) async throws {
        let server = try await TestServer { exchange in
            guard trickles else { return }
            exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            exchange.channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
                if exchange.channel.isActive { exchange.write("x") } else { task.cancel() }
            }
        }
        var request = request(server)
        request.timeout = .milliseconds(150)
        let error = await #expect(throws: PodsError.self) { try await client.send(request) }
        #expect(error?.code == .timedOut)
        try await server.stop()
    }

    @Test("a handshake that takes too long is told apart from an answer that does, also on a connection used again")
    func connectTimeout() async throws {
        let server = try await TestServer { if $0.path == "/answered" { $0.answer() } }
        var request = request(server, "/answered")
        #expect(try await client.send(request).status == 200)
        request.url = "http://127.0.0.1:\(server.port)/silent"
        request.timeout = .milliseconds(150)
        let silent = await #expect(throws: PodsError.self) { try await client.send(request) }
        #expect(silent?.code == .timedOut)
        // It waits for a request's end, which a handshake's first bytes are not.
        request.url = "https://127.0.0.1:\(server.port)/"
        (request.connectTimeout, request.timeout) = (.milliseconds(150), .seconds(60))
        let connecting = await #expect(throws: PodsError.self) { try await client.send(request) }
        #expect(connecting?.code == .connectTimedOut, "\(connecting?.description ?? "")")
        try await server.stop()
    }

    @Test("a certificate that is not believed is told apart from a handshake that fails")
    func untrusted() async throws {
        let server = try await TestServer(tls: TestCertificates.server()) { $0.answer() }
        var request = request(server)
        request.url = "https://localhost:\(server.port)/"
        let untrusted = await #expect(throws: PodsError.self) { try await client.send(request) }
        #expect(untrusted?.code == .untrusted, "\(untrusted?.description ?? "")")
        request.tls = CurlTLS(authority: Array("none".utf8), certificate: nil, key: nil)
        let unusable = await #expect(throws: PodsError.self) { try await client.send(request) }
        #expect(unusable?.code == .handshakeFailed, "\(unusable?.description ?? "")")
        try await server.stop()
    }

    @Test("nobody listening is a failed connection, in words")
    func refused() async throws {
        let server = try await TestServer { $0.answer() }
        try await server.stop()
        let error = await #expect(throws: PodsError.self) { try await client.send(request(server)) }
        #expect(error?.code == .connectFailed)
        #expect(error?.message.contains("127.0.0.1") == true)
    }

    @Test("only http and https are spoken")
    func protocols() async throws {
        let error = await #expect(throws: PodsError.self) {
            try await client.send(CurlRequest(url: "file:///etc/passwd"))
        }
        #expect(error?.code == .invalidConfiguration)
    }

    @Test("a task that is cancelled ends its exchange and its connection")
    func cancelled() async throws {
        let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
        let server = try await TestServer { _ in continuation.yield() }
        let task = Task { [client] in try await client.send(request(server)) }
        for await _ in begun { break }
        task.cancel()
        let error = await #expect(throws: PodsError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        await server.closed(1)
        try await server.stop()
    }

    @Test("a task cancelled before it begins sends nothing")
    func cancelledBefore() async throws {
        let server = try await TestServer { $0.answer() }
        let task = Task { [client] in
            await withUnsafeContinuation { (resume: UnsafeContinuation<Void, Never>) in
                withUnsafeCurrentTask { $0?.cancel() }
                resume.resume()
            }
            return try await client.send(request(server))
        }
        let error = await #expect(throws: PodsError.self) { try await task.value }
        #expect(error?.code == .cancelled)
        #expect(server.accepted == 0)
        try await server.stop()
    }

    @Test("shutting down ends what is under way and what comes later")
    func shutdown() async throws {
        let (begun, continuation) = AsyncStream.makeStream(of: Void.self)
        let server = try await TestServer { _ in continuation.yield() }
        let client = CurlClient()
        let task = Task { try await client.send(request(server)) }
        for await _ in begun { break }
        client.shutdown()
        client.shutdown()
        let error = await #expect(throws: PodsError.self) { try await task.value }
        #expect(error?.code == .closed)
        let later = await #expect(throws: PodsError.self) { try await client.send(request(server)) }
        #expect(later?.code == .closed)
        try await server.stop()
    }

    @Test("hundreds of exchanges at once all end")
    func many() async throws {
        let server = try await TestServer { $0.answer($0.path) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let answer = try await client.send(request(server, "/\(number)"))
                    #expect(answer.body == Array("/\(number)".utf8))
                }
            }
            try await group.waitForAll()
        }
        try await server.stop()
    }
}
