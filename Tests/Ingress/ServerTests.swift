import Core
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import Ingress
@testable import Queue

@Suite("The listener for clients", .timeLimit(.minutes(1)))
struct ServerTests {
    @Test("Bodies over the threshold are put in a file, byte for byte, and memory holds no more of them")
    func spooled() async throws {
        var parts = try IngressParts()
        parts.configuration.spoolThreshold = 10_000
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            let body = String((0..<300_000).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
            try await client.send("PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in stride(from: 0, to: 300_000, by: 50_000) {
                let part = body.dropFirst(start).prefix(50_000)
                try await client.send("\(String(part.utf8.count, radix: 16))\r\n\(part)\r\n")
            }
            try await client.send("0\r\n\r\n")
            let call = await parts.intake.next()
            guard case .spooled(let file) = call.request.body else {
                Issue.record("the body is not in a file")
                return
            }
            #expect(file.byteCount == 300_000)
            #expect(try String(contentsOfFile: file.path, encoding: .utf8) == body)
            #expect(parts.budget.used == 300_000)
            call.answer()
            #expect(await client.answer().status == 200)
            await call.events.take { $0 == [.delivered] ? true : nil }
            #expect(parts.budget.used == 0)
            #expect(try parts.files() == [file.name])
        }
    }

    @Test("The file of a body goes where the request was refused before it had a row")
    func spooledAndRefused() async throws {
        let intake = FakeIntake { $0.act { $0.refuse(Refusal(reason: .queueFull, detail: "full")) } }
        var parts = try IngressParts(intake: intake)
        parts.configuration.spoolThreshold = 1000
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
            try await client.send(bytes: 5000)
            let answer = await client.answer()
            #expect(answer.status == 429)
            #expect(answer.field("retry-after") == "5")
            // Closing does what was asked of it before.
            parts.spool.close()
            #expect(try parts.files().isEmpty)
        }
    }

    @Test("The file of a body goes where its client leaves before the end")
    func spooledAndLeft() async throws {
        var parts = try IngressParts()
        parts.configuration.spoolThreshold = 1000
        try await withServer(parts) { server, port in
            let client = try await RawClient(port)
            try await client.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\nExpect: 100-continue\r\n\r\n")
            _ = await client.text(through: "\r\n\r\n")
            try await client.send(bytes: 5000)
            try await client.close()
            #expect(await server.untilAnswered(within: .seconds(30)))
            #expect(parts.budget.used == 0)
            parts.spool.close()
            #expect(try parts.files().isEmpty)
            #expect(parts.intake.requests.now.isEmpty)
        }
    }

    @Test("A body that cannot be stored is answered 503")
    func storageFails() async throws {
        var parts = try IngressParts()
        parts.configuration.spoolThreshold = 1000
        // A folder that is gone would be made anew.
        try FileManager.default.removeItem(atPath: parts.spool.path)
        try Data().write(to: URL(filePath: parts.spool.path))
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n")
            try await client.send(bytes: 5000)
            let answer = await client.answer()
            #expect(answer.status == 503)
            #expect(answer.field("neutrino-reason") == "storage_unavailable")
        }
        #expect(parts.budget.used == 0)
    }

    @Test("The end of the client's side counts as leaving, also while its request waits", arguments: [true, false])
    func leaving(_ onlyItsSide: Bool) async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let call = await parts.intake.next()
            if onlyItsSide {
                try await client.channel.close(mode: .output).get()
            } else {
                try await client.close()
            }
            await call.events.take { $0 == [.left] ? true : nil }
        }
    }

    @Test("A client that reads slowly stops the source, and gets everything in the end")
    func backpressure() async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port, reads: false, receiveBuffer: 16_384)
            try await client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let call = await parts.intake.next()
            let part = String(repeating: "z", count: 64 << 10)
            call.begin(200, [], .untilClose)
            var sent = 0
            while !call.events.now.contains(.writable(false)), sent < 1000 {
                call.body(part)
                try await call.request.eventLoop.submit {}.get()
                sent += 1
            }
            #expect(sent < 1000, "an answer of 64 MiB was taken from a source whose client reads nothing")
            call.end()
            try await client.read()
            let all = await client.text(through: "\r\n0\r\n\r\n")
            #expect(all.utf8.count > sent << 16)
            await call.events.take { $0.last == .delivered ? true : nil }
        }
    }

    @Test("What a client sends behind its last request does not reset the answer to that")
    func behindTheLast() async throws {
        let parts = try IngressParts(intake: FakeIntake { $0.answer(200, [], "x") })
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(await client.answer().body == "x")
            #expect(await client.rest() == "")
            // What comes to a closed socket the kernel answers with a reset, and the next write fails.
            for _ in 0..<20 { try await client.send(bytes: 100_000) }
            #expect(await client.rest() == "")
            #expect(parts.intake.requests.now.count == 1)
        }
    }

    @Test("Over the bound the longest idle connection makes room, and where none is idle the new one is told")
    func connectionBound() async throws {
        var parts = try IngressParts()
        parts.configuration.maxConnections = 2
        try await withServer(parts, loops: 2) { server, port in
            let idle = try await RawClient(port)
            try await idle.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await idle.answer().status == 200)
            let busy = try await RawClient(port)
            try await busy.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let first = await parts.intake.next()
            let welcome = try await RawClient(port)
            try await welcome.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            let second = await parts.intake.next()
            #expect(await idle.rest() == "")

            let turnedAway = try await RawClient(port)
            let answer = await turnedAway.answer()
            #expect(answer.status == 503)
            #expect(answer.field("connection") == "close")
            #expect(answer.field("retry-after") == "1")
            first.answer()
            second.answer()
            #expect(await busy.answer().status == 200)
            #expect(await welcome.answer().status == 200)
        }
    }

    @Test("A client has so many connections and no more; behind a trusted proxy, so many requests at once")
    func connectionsOfAClient() async throws {
        var parts = try IngressParts()
        parts.configuration.maxConnectionsPerClient = 2
        try await withServer(parts) { server, port in
            let first = try await RawClient(port)
            try await first.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await first.answer().status == 200)
            let second = try await RawClient(port)
            try await second.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await second.answer().status == 200)
            let third = try await RawClient(port)
            let answer = await third.answer()
            #expect(answer.status == 429)
            #expect(answer.field("neutrino-reason") == "too_many_connections")
            #expect(answer.field("retry-after") == "1")
            try await first.close()
            // The server hears of it in its own time.
            var status = 429
            while status == 429 {
                let next = try await RawClient(port)
                try await next.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
                status = await next.answer().status
                try await next.close()
            }
            #expect(status == 200)
        }
    }

    @Test(
        "Behind a trusted proxy a client has so many requests at once, whatever connections they come on",
        arguments: [
            // The same network of 64 bits, and another.
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"], ["::ffff:10.0.0.1", "10.0.0.1:567", "::ffff:10.0.0.2"],
        ]
    )
    func requestsOfAClient(_ clients: [String]) async throws {
        var parts = try IngressParts()
        parts.configuration.maxConnectionsPerClient = 1
        parts.configuration.trustedProxies = ["127.0.0.1"]
        try await withServer(parts) { server, port in
            func send(for client: String) async throws -> RawClient {
                let connection = try await RawClient(port)
                try await connection.send("GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: \(client)\r\n\r\n")
                return connection
            }
            let first = try await send(for: clients[0])
            let taken = await parts.intake.next()
            #expect(await (try await send(for: clients[1])).answer().status == 429)
            let other = try await send(for: clients[2])
            await parts.intake.next().answer()
            #expect(await other.answer().status == 200)
            taken.answer()
            #expect(await first.answer().status == 200)
            let again = try await send(for: clients[1])
            await parts.intake.next().answer()
            #expect(await again.answer().status == 200)
        }
    }

    @Test("Where descriptors run out, accepting pauses and goes on")
    func outOfDescriptors() async throws {
        let lines = Watched<[String]>([])
        var parts = try IngressParts()
        parts.logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        try await withServer(parts) { server, port in
            let listener = try #require(server.listener.withLockedValue { $0 })
            for _ in 0..<2 {
                try await listener.eventLoop.submit {
                    for _ in 0..<3 { listener.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept")) }
                }.get()
                #expect(try await listener.getOption(.autoRead).get() == false)
                let client = try await RawClient(port)
                try await client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(await client.answer().status == 200)
                #expect(try await listener.getOption(.autoRead).get())
            }
            // One shortage, told at its beginning and its end, however often it was met.
            await lines.take { $0.contains { $0.contains("can be accepted again pauses=2") } ? true : nil }
            #expect(lines.now.count { $0.contains("cannot be accepted") } == 1)
        }
    }

    @Test("An address in use is told in words")
    func addressInUse() async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            var other = try IngressParts()
            defer { other.remove() }
            other.configuration.port = port
            let server = other.server(MultiThreadedEventLoopGroup.singleton)
            let error = await #expect(throws: IngressError.self) { try await server.start() }
            #expect(error?.code == .addressInUse)
            #expect(error?.message.contains("127.0.0.1:\(port)") == true)
        }
    }

    @Test("An address that is not this machine's, and a proxy that is no address, are told")
    func unusableAddress() async throws {
        var parts = try IngressParts()
        defer { parts.remove() }
        parts.configuration.host = "192.0.2.1"
        let server = parts.server(MultiThreadedEventLoopGroup.singleton)
        #expect(await #expect(throws: IngressError.self) { try await server.start() }?.code == .addressUnusable)
        parts.configuration.trustedProxies = ["10.0.0.0/40"]
        let second = parts.server(MultiThreadedEventLoopGroup.singleton)
        #expect(await #expect(throws: IngressError.self) { try await second.start() }?.code == .invalidTrustedProxy)
    }

    @Test("It listens on IPv6 too")
    func ipv6() async throws {
        var parts = try IngressParts()
        parts.configuration.host = "::1"
        let server = parts.server(MultiThreadedEventLoopGroup.singleton)
        let address = try await server.start()
        #expect(address.ipAddress == "::1")
        await server.closeListener()
        parts.remove()
    }

    @Test("Also of a request that is refused at the door, in its row and in the access log")
    func trustedProxyAtTheDoor() async throws {
        let lines = Watched<[String]>([])
        var parts = try IngressParts()
        parts.configuration.trustedProxies = ["127.0.0.0/8"]
        parts.configuration.maxBodyBytes = 10
        parts.configuration.accessLog = .all
        parts.logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send(
                "POST /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nContent-Length: 11\r\n\r\n"
            )
            #expect(await client.answer().status == 413)
            let rejections = await parts.journal.rejections.take { $0.isEmpty ? nil : $0 }
            #expect(rejections.map(\.clientAddress) == ["203.0.113.9"])
            let line = await lines.take { $0.first { $0.contains("request answered") } }
            #expect(line.contains("client=203.0.113.9 "))
        }
    }

    @Test("A trusted proxy's word is taken for who the client is")
    func trustedProxy() async throws {
        var parts = try IngressParts()
        parts.configuration.trustedProxies = ["127.0.0.0/8", "10.0.0.0/8"]
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send(
                "GET /a HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.1.1\r\n"
                    + "X-Forwarded-Proto: https\r\n\r\n"
            )
            let call = await parts.intake.next()
            #expect(call.request.clientAddress == "203.0.113.9")
            #expect(call.request.fields.first("x-forwarded-for") == "6.6.6.6, 203.0.113.9, 10.1.1.1, 127.0.0.1")
            #expect(call.request.fields.first("x-forwarded-proto") == "https")
        }
    }
}
