import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Queue
import Testing

@testable import Ingress

@Suite("Timeouts and ends of connections")
struct TimeoutTests {
    private func connection(_ change: (inout IngressParts) -> Void = { _ in }) throws -> EmbeddedConnection {
        var parts = try IngressParts()
        change(&parts)
        return try EmbeddedConnection(parts)
    }

    @Test("A connection on which nothing comes is closed without a word")
    func silent() throws {
        let connection = try connection()
        defer { connection.close() }
        connection.advance(.seconds(9))
        #expect(connection.channel.isActive)
        connection.advance(.seconds(1))
        #expect(!connection.channel.isActive)
        #expect(try connection.received() == "")
    }

    @Test("A head that is not whole in time gets 408, however its bytes drip")
    func slowHead() throws {
        let connection = try connection()
        defer { connection.close() }
        connection.advance(.seconds(5))
        try connection.send("GET / HT")
        for _ in 0..<9 {
            connection.advance(.seconds(1))
            try connection.send("T")
        }
        #expect(try connection.received() == "")
        connection.advance(.seconds(1))
        let answer = try connection.received()
        #expect(answer.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        #expect(answer.contains("Connection: close\r\n"))
        connection.advance(.seconds(5))
        #expect(!connection.channel.isActive)
    }

    @Test("A body has its time anew with every part; then 408")
    func slowBody() throws {
        let connection = try connection { $0.configuration.bodyMinRate = 0 }
        defer { connection.close() }
        try connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n")
        for _ in 0..<4 {
            connection.advance(.seconds(29))
            try connection.send("x")
        }
        #expect(connection.parts.budget.used == 4)
        #expect(try connection.received() == "")
        connection.advance(.seconds(30))
        #expect(try connection.received().hasPrefix("HTTP/1.1 408 "))
        #expect(connection.parts.budget.used == 0)
        connection.advance(.seconds(5))
        #expect(!connection.channel.isActive)
    }

    @Test("A body that trickles gets 408, however fast it came at first")
    func tricklingBody() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        try connection.send(String(repeating: "x", count: 50_000))
        for second in 1..<120 {
            connection.advance(.seconds(1))
            #expect(try connection.received() == "", "after \(second) s")
            try connection.send("x")
        }
        connection.advance(.seconds(1))
        let answer = try connection.received()
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
        #expect(answer.contains("too little of the body came within 60.0 seconds"))
        #expect(connection.parts.budget.used == 0)
        connection.advance(.seconds(5))
        #expect(!connection.channel.isActive)
    }

    @Test("One that comes as fast as it has to may last; while bodies fill half of their budget that is faster")
    func slowEnoughBody() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        for _ in 0..<120 {
            try connection.send(String(repeating: "x", count: 240))
            connection.advance(.seconds(1))
        }
        #expect(try connection.received() == "")
        let others = (connection.parts.budget.limit + 1) / 2
        #expect(connection.parts.budget.reserve(others))
        for _ in 0..<60 {
            #expect(try connection.received() == "")
            try connection.send(String(repeating: "x", count: 240))
            connection.advance(.seconds(1))
        }
        #expect(try connection.received().hasPrefix("HTTP/1.1 408 "))
        #expect(connection.parts.budget.used == others)
    }

    @Test("A request that was answered before its end, and whose end does not come, is not waited for")
    func unendingBody() throws {
        let connection = try connection()
        defer { connection.close() }
        connection.parts.journal.problem.withLockedValue { $0 = StorageProblem(.behind, "behind") }
        try connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
        #expect(try connection.received().hasPrefix("HTTP/1.1 503 "))
        connection.advance(.seconds(29))
        #expect(connection.channel.isActive)
        connection.advance(.seconds(1))
        #expect(!connection.channel.isActive)
        #expect(try connection.received() == "")
    }

    @Test("A request that waits has all the time there is; afterwards the connection may be idle for its keep-alive")
    func keepAlive() throws {
        let connection = try connection()
        defer { connection.close() }
        for _ in 0..<3 {
            try connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let call = try #require(connection.parts.intake.taken())
            connection.advance(.hours(2))
            #expect(connection.channel.isActive)
            call.answer(200, [], "x")
            #expect(try connection.received().hasSuffix("\r\n\r\nx"))
            #expect(call.events.now == [.delivered])
            connection.advance(.seconds(619))
        }
        #expect(connection.channel.isActive)
        connection.advance(.seconds(1))
        #expect(!connection.channel.isActive)
        #expect(try connection.received() == "")
    }

    @Test("A head that began behind another request has its own time too, once that is answered")
    func pipelinedHead() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HT")
        let call = try #require(connection.parts.intake.taken())
        connection.advance(.seconds(60))
        call.answer(200, [], "x")
        #expect(try connection.received().hasSuffix("x"))
        connection.advance(.seconds(9))
        #expect(try connection.received() == "")
        connection.advance(.seconds(1))
        #expect(try connection.received().hasPrefix("HTTP/1.1 408 "))
    }

    @Test("Also behind one that was answered while it was read")
    func pipelinedHeadAtOnce() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\nGET /b HT")
        #expect(try connection.received().hasPrefix("HTTP/1.1 200 "))
        connection.advance(.seconds(10))
        #expect(try connection.received().hasPrefix("HTTP/1.1 408 "))
    }

    @Test("A body that began behind another request has its own time too", arguments: [true, false])
    func pipelinedBody(_ isOwn: Bool) throws {
        let connection = try connection()
        defer { connection.close() }
        let first = isOwn ? "/health" : "/a"
        try connection.send(
            "GET \(first) HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab"
        )
        if !isOwn { try #require(connection.parts.intake.taken()).answer(200, [], "x") }
        #expect(try connection.received().hasPrefix("HTTP/1.1 200 "))
        connection.advance(.seconds(29))
        #expect(try connection.received() == "")
        connection.advance(.seconds(1))
        #expect(try connection.received().hasPrefix("HTTP/1.1 408 "))
        #expect(connection.parts.budget.used == 0)
    }

    @Test("Where connections are not kept, answers say so", arguments: [true, false])
    func noKeepAlive(_ isOwn: Bool) throws {
        let connection = try connection { $0.configuration.clientKeepAlive = .zero }
        defer { connection.close() }
        try connection.send("GET \(isOwn ? "/health" : "/a") HTTP/1.1\r\nHost: a\r\n\r\n")
        if !isOwn { try #require(connection.parts.intake.taken()).answer(200, [], "x") }
        #expect(try connection.received().contains("\r\nConnection: close\r\n"))
    }

    @Test("A head that begins after idle time has its own time")
    func laterHead() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try connection.received()
        connection.advance(.seconds(500))
        try connection.send("GET")
        connection.advance(.seconds(10))
        #expect(try connection.received().hasPrefix("HTTP/1.1 408 "))
    }

    @Test("A client that leaves is told of once, at whatever point", arguments: 0..<4)
    func leaving(_ point: Int) throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
        let call = try #require(connection.parts.intake.taken())
        if point > 0 { call.begin(200, [], .length(4)) }
        if point > 1 { call.body("ab") }
        connection.channel.embeddedEventLoop.run()
        if point > 2 {
            call.body("cd")
            call.end()
            connection.channel.embeddedEventLoop.run()
        }
        connection.channel.close(promise: nil)
        connection.channel.embeddedEventLoop.run()
        #expect(call.events.now == (point > 2 ? [.delivered] : [.left]))
        #expect(connection.parts.budget.used == 0)
        // What comes later falls on deaf ears.
        call.body("late")
        call.end()
        call.act { $0.refuse(Refusal(reason: .noCapacity, detail: "")) }
        connection.channel.embeddedEventLoop.run()
        #expect(call.events.now.count == 1)
    }

    @Test("A client that leaves in the middle of its body is nobody's request")
    func leavingInBody() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        #expect(connection.parts.budget.used == 3)
        connection.channel.close(promise: nil)
        connection.channel.embeddedEventLoop.run()
        #expect(connection.parts.budget.used == 0)
        #expect(connection.parts.intake.taken() == nil)
    }

    @Test("Backpressure is passed on, and a client that takes nothing is cut off in the end")
    func slowReader() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        let call = try #require(connection.parts.intake.taken())
        call.begin(200, [], .chunked)
        connection.channel.embeddedEventLoop.run()
        func set(_ writable: Bool) {
            connection.channel.isWritable = writable
            connection.channel.pipeline.fireChannelWritabilityChanged()
        }
        set(false)
        #expect(call.events.now == [.writable(false)])
        connection.advance(.seconds(299))
        set(true)
        #expect(call.events.now == [.writable(false), .writable(true)])
        connection.advance(.hours(1))
        #expect(connection.channel.isActive)
        set(false)
        connection.advance(.seconds(300))
        #expect(!connection.channel.isActive)
        #expect(call.events.now == [.writable(false), .writable(true), .writable(false), .left])
    }

    @Test("A small answer is one write; parts of one turn leave together")
    func writes() throws {
        let connection = try connection()
        defer { connection.close() }
        try connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(connection.parts.intake.taken()).answer(200, [], "hello")
        connection.channel.embeddedEventLoop.run()
        #expect(try connection.channel.readOutbound(as: ByteBuffer.self) != nil)
        #expect(try connection.channel.readOutbound(as: ByteBuffer.self) == nil)

        try connection.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        let call = try #require(connection.parts.intake.taken())
        call.begin(200, [], .chunked)
        call.body("a")
        call.body("b")
        connection.channel.embeddedEventLoop.run()
        let first = try #require(try connection.channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: first).hasSuffix("\r\n\r\n1\r\na\r\n1\r\nb\r\n"))
        #expect(try connection.channel.readOutbound(as: ByteBuffer.self) == nil)
    }
}
