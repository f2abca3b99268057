import CodecFuzz
import Core
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTP

/// Every codec under the same tests.
@Suite struct RequestCodecTests {
    @Test("A request without a body is a head and an end", arguments: MessageCodec.allCases, [1, 3, .max])
    func simple(codec: MessageCodec, piece: Int) throws {
        let wire = try RequestWire.read(
            "GET /a/b?c=d&e HTTP/1.1\r\nHost: x\r\nX-One:  two \t\r\nempty:\r\n\r\n",
            in: piece,
            by: codec
        )
        #expect(wire.error == nil)
        #expect(wire.requests.count == 1)
        let request = try #require(wire.requests.first)
        #expect(request.method == .get)
        #expect(request.target == "/a/b?c=d&e")
        #expect(request.version == .http11)
        #expect(request.fields == ["Host: x", "X-One: two", "empty: "])
        #expect(request.framing == .none)
        #expect(request.isWhole && request.body.isEmpty && request.trailers == nil)
    }

    @Test("A body of a length comes whole, whatever the reads", arguments: MessageCodec.allCases, [1, 2, 7, .max])
    func length(codec: MessageCodec, piece: Int) throws {
        let wire = try RequestWire.read(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello worldGET /2 HTTP/1.1\r\nHost: y\r\n\r\n",
            in: piece,
            by: codec
        )
        #expect(wire.requests.map(\.bodyText) == ["hello world", ""])
        #expect(wire.requests.map(\.framing) == [.length(11), .none])
        #expect(wire.requests.allSatisfy { $0.isWhole })
    }

    @Test(
        "A chunked body comes without its framing, with its trailers",
        arguments: MessageCodec.allCases,
        [1, 2, 5, .max]
    )
    func chunked(codec: MessageCodec, piece: Int) throws {
        let wire = try RequestWire.read(
            "PUT /c HTTP/1.1\r\nhost: x\r\ntransfer-encoding: Chunked\r\n\r\n"
                + "5\r\nhello\r\n00c;a=b;c=\"d e\"\r\n world, now!\r\n0\r\nX-Sum: 9\r\nY: \r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            in: piece,
            by: codec
        )
        #expect(wire.error == nil)
        #expect(wire.requests.map(\.bodyText) == ["hello world, now!", ""])
        #expect(wire.requests.first?.framing == .chunked)
        #expect(wire.requests.first?.trailers == ["X-Sum: 9", "Y: "])
    }

    @Test("A request is not whole before its last byte", arguments: MessageCodec.allCases)
    func notWholeEarly(codec: MessageCodec) throws {
        for text in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
        ] {
            let bytes = Array(text.utf8)
            for cut in 0..<bytes.count {
                let wire = try RequestWire.read(Array(bytes[..<cut]), by: codec)
                #expect(!wire.requests.contains { $0.isWhole } && wire.error == nil)
                try wire.receive(Array(bytes[cut...]))
                #expect(wire.requests.map(\.isWhole) == [true])
            }
        }
    }

    @Test("HTTP/1.0 needs no Host", arguments: MessageCodec.allCases)
    func http10(codec: MessageCodec) throws {
        let wire = try RequestWire.read("GET / HTTP/1.0\r\n\r\n", by: codec)
        #expect(wire.error == nil)
        #expect(wire.requests.first?.version == .http10)
        #expect(wire.requests.first?.isWhole == true)
    }

    @Test("Every method of ours is taken", arguments: MessageCodec.allCases)
    func methods(codec: MessageCodec) throws {
        for method in RequestMethod.allCases {
            let wire = try RequestWire.read("\(method.rawValue) /x HTTP/1.1\r\nHost: x\r\n\r\n", by: codec)
            #expect(wire.requests.map(\.method) == [method])
        }
    }

    @Test("An absolute target becomes a path, and its authority the Host", arguments: MessageCodec.allCases)
    func absolute(codec: MessageCodec) throws {
        for (line, target, host) in [
            ("GET http://a.example:81/p?q HTTP/1.1", "/p?q", "a.example:81"), ("GET http://a HTTP/1.1", "/", "a"),
            ("GET HTTPS://a?b=c HTTP/1.1", "/?b=c", "a"), ("OPTIONS http://a HTTP/1.1", "*", "a"),
            ("GET http://[::1]:8080/ HTTP/1.1", "/", "[::1]:8080"),
        ] {
            let wire = try RequestWire.read("\(line)\r\nX: 1\r\nHost: other\r\n\r\n", by: codec)
            #expect(wire.requests.first?.target == target)
            #expect(wire.requests.first?.fields == ["X: 1", "Host: \(host)"])
        }
        let star = try RequestWire.read("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", by: codec)
        #expect(star.requests.first?.target == "*")
    }

    @Test("Blank lines before a request are passed over", arguments: MessageCodec.allCases)
    func blankLines(codec: MessageCodec) throws {
        let wire = try RequestWire.read(
            "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
            by: codec
        )
        #expect(wire.requests.map(\.target) == ["/", "/2"])
    }

    @Test("What follows the last request of a connection is dropped", arguments: MessageCodec.allCases)
    func afterClose(codec: MessageCodec) throws {
        for first in ["GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
            let wire = try RequestWire.read(first + "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n\u{1}garbage", by: codec)
            #expect(wire.requests.count == 1 && wire.error == nil)
            try wire.receive("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(wire.requests.count == 1 && wire.error == nil)
        }
        let kept = try RequestWire.read(
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n",
            by: codec
        )
        #expect(kept.requests.count == 2)
    }

    @Test("Body bytes are passed on without a copy", arguments: MessageCodec.allCases)
    func noCopies(codec: MessageCodec) throws {
        let channel = EmbeddedChannel()
        try codec.addServerHandlers(to: channel.pipeline.syncOperations)
        try channel.writeInbound(ByteBuffer(string: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"))
        _ = try channel.readInbound(as: RequestPart.self)
        let sent = ByteBuffer(repeating: 7, count: 1000)
        let address = sent.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        try channel.writeInbound(sent)
        guard case .body(let got) = try #require(try channel.readInbound(as: RequestPart.self)) else {
            Issue.record("no body")
            return
        }
        #expect(got.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == address)
        _ = try? channel.finish()
    }

    // MARK: The end of the connection

    @Test("A cut request never looks whole", arguments: MessageCodec.allCases)
    func cut(codec: MessageCodec) throws {
        for text in [
            "GET / HTTP/1.1\r\nHost", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        ] {
            let closed = try RequestWire.read(text, by: codec)
            _ = try closed.channel.finish()
            #expect(closed.error == nil && !closed.requests.contains { $0.isWhole })
            #expect(closed.recorder.events.last?.hasPrefix("inactive") == true)

            let halfClosed = try RequestWire.read(text, by: codec)
            halfClosed.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
            #expect(halfClosed.error?.status == 400)
            #expect(!halfClosed.requests.contains { $0.isWhole })
        }
    }

    // MARK: Flow

    @Test("A paused flow delivers nothing until it is resumed", arguments: MessageCodec.allCases, [1, 20, .max])
    func pausing(codec: MessageCodec, piece: Int) throws {
        let wire = try RequestWire(codec)
        wire.recorder.onEnd = { wire.flow.pause() }
        let text = Array((1...5).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined().utf8)
        var start = 0
        while start < text.count {
            let end = start + min(piece, text.count - start)
            try wire.receive(Array(text[start..<end]))
            start = end
        }
        for number in 1...5 {
            #expect(wire.requests.map(\.target) == (1...number).map { "/\($0)" })
            wire.flow.resume()
        }
        #expect(wire.requests.count == 5 && wire.error == nil)
        wire.flow.resume()
        wire.recorder.onEnd = {}
        try wire.receive("GET /6 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(wire.requests.count == 6)
    }

    @Test("A handler may resume while it is handed a part", arguments: MessageCodec.allCases)
    func resumingInside(codec: MessageCodec) throws {
        let wire = try RequestWire(codec)
        wire.recorder.onEnd = {
            wire.flow.pause()
            wire.flow.resume()
        }
        try wire.receive(String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: 10_000))
        #expect(wire.requests.count == 10_000)
    }

    @Test("What waits is delivered before the end of the input", arguments: MessageCodec.allCases)
    func pausedInputEnd(codec: MessageCodec) throws {
        let wire = try RequestWire(codec)
        wire.recorder.onEnd = { wire.flow.pause() }
        try wire.receive("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
        try wire.receive("GET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(wire.recorder.events == [])
        wire.flow.resume()
        wire.flow.resume()
        wire.flow.resume()
        #expect(wire.requests.map(\.isWhole) == [true, true, true])
        #expect(wire.recorder.events == ["inputClosed after 6"])
    }

    @Test("A paused connection stops reading at its bound, and reads on when resumed", arguments: MessageCodec.allCases)
    func readingStops(codec: MessageCodec) throws {
        final class ReadCounter: ChannelOutboundHandler {
            typealias OutboundIn = ByteBuffer
            var reads = 0
            func read(context: ChannelHandlerContext) { reads += 1 }
        }
        let counter = ReadCounter()
        let wire = try RequestWire(codec)
        try wire.channel.pipeline.syncOperations.addHandler(counter, position: .first)
        try wire.receive("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
        wire.flow.pause()
        wire.channel.read()
        #expect(counter.reads == 1)
        try wire.receive([UInt8](repeating: 13, count: 1))
        wire.channel.read()
        #expect(counter.reads == 2)
        try wire.receive("\n" + String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: 4000))
        wire.channel.read()
        #expect(counter.reads == 2)
        wire.flow.resume()
        #expect(counter.reads == 3)
        #expect(wire.requests.count == 4001)
    }
}
