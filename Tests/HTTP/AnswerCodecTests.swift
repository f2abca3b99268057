import CodecFuzz
import Core
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTP

/// Every codec under the same tests.
@Suite struct AnswerCodecTests {
    @Test(
        "An answer comes with its length, and the connection may be used again",
        arguments: MessageCodec.allCases,
        [1, 4, .max]
    )
    func length(codec: MessageCodec, piece: Int) throws {
        let wire = try AnswerWire.read(
            "HTTP/1.1 404 Not Found here\r\nContent-Length: 5\r\nX:  y \r\n\r\nhello",
            in: piece,
            by: codec
        )
        let answer = try #require(wire.answers.first)
        #expect(answer.status == 404 && answer.version == .http11 && answer.keepAlive && answer.isWhole)
        #expect(answer.fields == ["Content-Length: 5", "X: y"])
        #expect(answer.framing == .length(5) && answer.bodyText == "hello")
        try wire.send()
        try wire.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(wire.answers.map(\.status) == [404, 200])
        #expect(wire.answers.last?.isWhole == true && wire.error == nil)
    }

    @Test(
        "A chunked answer comes without its framing, with its trailers",
        arguments: MessageCodec.allCases,
        [1, 3, .max]
    )
    func chunked(codec: MessageCodec, piece: Int) throws {
        let wire = try AnswerWire.read(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n6\r\n world\r\n0\r\nSum: 1\r\n\r\n",
            in: piece,
            by: codec
        )
        #expect(wire.answers.map(\.bodyText) == ["hello world"])
        #expect(wire.answers.first?.trailers == ["Sum: 1"])
        #expect(wire.answers.first?.isWhole == true && wire.answers.first?.keepAlive == true)
    }

    @Test("Interim heads come before the final one, whatever the method", arguments: MessageCodec.allCases, [1, .max])
    func interim(codec: MessageCodec, piece: Int) throws {
        for method in [RequestMethod.get, .head] {
            let body = method == .head ? "" : "ab"
            let wire = try AnswerWire.read(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
                    + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\(body)",
                to: method,
                in: piece,
                by: codec
            )
            #expect(wire.interim == [100, 103, 102])
            #expect(wire.answers.map(\.bodyText) == [body])
            #expect(wire.answers.first?.isWhole == true && wire.error == nil)
        }
    }

    @Test("An answer to HEAD, 204 and 304 have no body, whatever their fields say", arguments: MessageCodec.allCases)
    func bodiless(codec: MessageCodec) throws {
        for (status, method) in [(200, RequestMethod.head), (204, .get), (304, .get), (304, .head)] {
            for fields in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", ""] {
                let wire = try AnswerWire.read("HTTP/1.1 \(status) X\r\n\(fields)\r\n", to: method, by: codec)
                #expect(wire.answers.first?.framing == BodyFraming.none)
                #expect(wire.answers.first?.isWhole == true && wire.answers.first?.keepAlive == true)
                try wire.send()
                try wire.receive("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
                #expect(wire.answers.map(\.bodyText) == ["", "x"])
            }
        }
    }

    @Test("Whether the connection may be used again", arguments: MessageCodec.allCases)
    func keepAlive(codec: MessageCodec) throws {
        for (head, keeps) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 0", true),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0", false),
            ("HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 0", false),
            ("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 0", false),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0", false),
            ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0", true),
            ("HTTP/1.1 200 OK", false),
            ("HTTP/1.0 200 OK\r\nConnection: keep-alive", false),
        ] {
            let wire = try AnswerWire.read(head + "\r\n\r\n", by: codec)
            #expect(wire.answers.first?.keepAlive == keeps, "\(head)")
        }
    }

    @Test("Without a length an answer lasts until the connection's end", arguments: MessageCodec.allCases)
    func untilClose(codec: MessageCodec) throws {
        let wire = try AnswerWire.read("HTTP/1.0 200 OK\r\n\r\nsome", by: codec)
        try wire.receive(" more")
        #expect(wire.answers.first?.framing == .untilClose && wire.answers.first?.isWhole == false)
        wire.channel.pipeline.fireChannelInactive()
        #expect(wire.answers.first?.bodyText == "some more" && wire.answers.first?.isWhole == true && wire.error == nil)
        #expect(wire.recorder.isInactive)
    }

    @Test(
        "What the end of the connection delimits is not whole after a reset or our own close",
        arguments: MessageCodec.allCases
    )
    func untilReset(codec: MessageCodec) throws {
        let reset = try AnswerWire.read("HTTP/1.0 200 OK\r\n\r\nsome", by: codec)
        reset.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
        reset.channel.pipeline.fireChannelInactive()
        #expect(reset.error?.status == 502 && reset.answers.first?.isWhole == false)

        let closed = try AnswerWire.read("HTTP/1.0 200 OK\r\n\r\nsome", by: codec)
        closed.channel.close(promise: nil)
        #expect(closed.answers.first?.isWhole == false && closed.error != nil)
    }

    @Test("A cut answer never looks whole", arguments: MessageCodec.allCases)
    func cut(codec: MessageCodec) throws {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ] {
            let bytes = Array(text.utf8)
            for cut in 1..<bytes.count {
                let wire = try AnswerWire.read(Array(bytes[..<cut]), to: [.get], by: codec)
                wire.channel.pipeline.fireChannelInactive()
                #expect(!wire.answers.contains { $0.isWhole }, "cut at \(cut): \(text.debugDescription)")
                let isBetweenHeads = wire.interim == [100] && cut == 25
                #expect(isBetweenHeads || wire.error?.status == 502, "cut at \(cut): \(text.debugDescription)")
            }
        }
    }

    @Test("A connection that ends before an answer began just ends", arguments: MessageCodec.allCases)
    func noAnswer(codec: MessageCodec) throws {
        let wire = try AnswerWire(codec)
        try wire.send()
        wire.channel.pipeline.fireChannelInactive()
        #expect(wire.error == nil && wire.answers.isEmpty && wire.recorder.isInactive)
    }

    @Test("An answer that is whole stays whole when the connection ends or breaks", arguments: MessageCodec.allCases)
    func endAfterWhole(codec: MessageCodec) throws {
        let wire = try AnswerWire.read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", by: codec)
        wire.channel.pipeline.fireErrorCaught(IOError(errnoCode: 104, reason: "read"))
        wire.channel.pipeline.fireChannelInactive()
        #expect(wire.error == nil && wire.answers.map(\.isWhole) == [true])
    }

    @Test("Requests go out as they were written", arguments: MessageCodec.allCases)
    func rawRequests(codec: MessageCodec) throws {
        let wire = try AnswerWire(codec)
        let head = "GET /ä HTTP/1.1\r\nx:y\r\n\r\n"
        let written = wire.channel.writeAndFlush(
            OutgoingRequestPart.head(ByteBuffer(string: head), method: .get)
        )
        let more = wire.channel.writeAndFlush(OutgoingRequestPart.bytes(ByteBuffer(string: "body")))
        try written.and(more).map { _ in }.wait()
        #expect(try wire.channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(string: head))
        #expect(try wire.channel.readOutbound(as: ByteBuffer.self) == ByteBuffer(string: "body"))
        #expect(try wire.channel.readOutbound(as: ByteBuffer.self) == nil)
    }

    @Test("Body bytes are passed on without a copy", arguments: MessageCodec.allCases)
    func noCopies(codec: MessageCodec) throws {
        let channel = EmbeddedChannel()
        try codec.addClientHandlers(to: channel.pipeline.syncOperations)
        try channel.writeOutbound(OutgoingRequestPart.head(ByteBuffer(), method: .get))
        try channel.writeInbound(ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
        _ = try channel.readInbound(as: ResponsePart.self)
        let sent = ByteBuffer(repeating: 7, count: 1000)
        let address = sent.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        try channel.writeInbound(sent)
        guard case .body(let got) = try #require(try channel.readInbound(as: ResponsePart.self)) else {
            Issue.record("no body")
            return
        }
        #expect(got.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == address)
        _ = try? channel.finish()
    }

    @Test("A reason phrase may be empty or missing", arguments: MessageCodec.allCases)
    func reason(codec: MessageCodec) throws {
        for line in ["HTTP/1.1 200 ", "HTTP/1.1 200", "HTTP/1.1 999 Any Thing"] {
            let wire = try AnswerWire.read(line + "\r\nContent-Length: 0\r\n\r\n", by: codec)
            #expect(wire.answers.map(\.isWhole) == [true], "\(line)")
        }
    }

    static let refused = [
        // Not asked for.
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        // Framing.
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
        // Heads.
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\u{0}\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.2 200 OK\r\n\r\n", "HTTP/0.9 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "<html>", "HTTP/1.1 200 OK\r\nA: " + String(repeating: "b", count: 65_536) + "\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 201) + "\r\n",
    ]

    @Test("What is no plain HTTP/1.1 answer is refused", arguments: MessageCodec.allCases, refused)
    func refuses(codec: MessageCodec, text: String) throws {
        for piece in [1, 7, Int.max] {
            if piece < 7, text.utf8.count > 10_000 { continue }
            let wire = try AnswerWire.read(text, in: piece, by: codec)
            #expect(wire.error?.status == 502, "in pieces of \(piece): \(wire.answers)")
            #expect(!wire.answers.contains { $0.isWhole })
            try wire.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            wire.channel.pipeline.fireChannelInactive()
            #expect(!wire.answers.contains { $0.isWhole })
        }
    }

    @Test("Bytes that came before a request was written do not answer it", arguments: MessageCodec.allCases)
    func surplusBeforeRequest(codec: MessageCodec) throws {
        let wire = try AnswerWire(codec)
        try wire.send()
        wire.recorder.onEnd = { context in
            let head = OutgoingRequestPart.head(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"), method: .get)
            context.writeAndFlush(NIOAny(head), promise: nil)
        }
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        try wire.receive(answer + answer)
        #expect(wire.answers.count == 1 && wire.error != nil)
    }

    @Test("Bytes that no request asked for make the connection useless", arguments: MessageCodec.allCases)
    func unsolicited(codec: MessageCodec) throws {
        let idle = try AnswerWire(codec)
        try idle.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        #expect(idle.answers.isEmpty && idle.error != nil)

        let surplus = try AnswerWire.read(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            by: codec
        )
        #expect(surplus.answers.map(\.isWhole) == [true] && surplus.error != nil)
    }
}
