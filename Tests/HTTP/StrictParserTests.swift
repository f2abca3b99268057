import CodecFuzz
import Core
import NIOCore
import Testing

@testable import HTTP

/// Where our own codec does better than the one on NIOHTTP1.
@Suite struct StrictParserTests {
    @Test("Bytes of a field that are not UTF-8 pass unchanged")
    func obsText() throws {
        let wire = try RequestWire.read(
            Array("GET / HTTP/1.1\r\nHost: x\r\nA: b".utf8) + [0xE4, 0xFF, 0x80] + Array("c\r\n\r\n".utf8),
            by: .bytes
        )
        #expect(wire.requests.first?.fields.last == "A: b\u{E4}\u{FF}\u{80}c")
    }

    @Test("A request that asks for an upgrade is one like any other")
    func upgrade() throws {
        let text =
            "GET /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
        let wire = try RequestWire.read(text, by: .bytes)
        #expect(wire.requests.map(\.target) == ["/1", "/2"])
        #expect(wire.requests.first?.fields == ["Host: x", "Connection: Upgrade", "Upgrade: h2c"])
    }

    @Test(
        "What llhttp lets pass is refused",
        arguments: [
            (400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n"), (400, "GET\r\n\r\n"), (400, "G@T / HTTP/1.1\r\n\r\n"),
            (400, "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), (400, "\rGET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            (505, "BREW / HTTP/3.0\r\n\r\n"), (400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n"),
            (400, "GET / HTTP/11\r\nHost: x\r\n\r\n"),
        ]
    )
    func stricter(status: Int, text: String) throws {
        let wire = try RequestWire.read(text, by: .bytes)
        #expect(wire.error?.status == status && wire.requests.isEmpty)
    }

    @Test("What cannot become a request is refused before its line is whole")
    func early() throws {
        for text in [
            "\u{16}", "\n", "\rG", "GET / HTTP/1.1\r\nA b", "GET / HTTP/1.1\r\nHost: x\r\nA: b\u{1}",
            "GET / HTTP/1.1\r\n ",
        ] {
            #expect(try RequestWire.read(text, by: .bytes).error?.status == 400, "\(text.debugDescription)")
        }
        let answer = try AnswerWire.read("HTTX", by: .bytes)
        #expect(answer.error != nil)
    }

    @Test("A head may have exactly its bound", arguments: [1, 1000, .max])
    func headBound(piece: Int) throws {
        var limits = MessageLimits()
        limits.headBytes = 5000
        limits.fieldLines = 3
        let start = "GET / HTTP/1.1\r\nHost: x\r\nA: "
        for (length, fits) in [(5000, true), (5001, false)] {
            let text = start + String(repeating: "b", count: length - start.utf8.count - 4) + "\r\n\r\n"
            let wire = try RequestWire.read(Array(text.utf8), in: piece, by: .bytes, limits: limits)
            #expect(wire.requests.map(\.isWhole) == (fits ? [true] : []))
            #expect(wire.error?.status == (fits ? nil : 431))
        }
        for (lines, fits) in [(2, true), (3, false)] {
            let text = "GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: lines) + "\r\n"
            #expect(
                try RequestWire.read(Array(text.utf8), in: piece, by: .bytes, limits: limits).error?.status
                    == (fits ? nil : 431)
            )
        }
    }

    @Test("Chunk extensions are bounded, one by one and together")
    func chunkExtensions() throws {
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        func status(_ body: String, in piece: Int = .max) throws -> Int? {
            try RequestWire.read(Array((head + body).utf8), in: piece, by: .bytes).error?.status
        }
        #expect(try status("1;a=" + String(repeating: "b", count: 900) + "\r\nx\r\n0\r\n\r\n") == nil)
        #expect(try status("1;a=" + String(repeating: "b", count: 1100) + "\r\nx\r\n0\r\n\r\n") == 400)
        #expect(try status("1;a=" + String(repeating: "b", count: 1100), in: 10) == 400)
        let small = "1;a=" + String(repeating: "b", count: 500) + "\r\nx\r\n"
        #expect(try status(String(repeating: small, count: 20) + "0\r\n\r\n") == nil)
        #expect(try status(String(repeating: small, count: 200) + "0\r\n\r\n") == 400)
        // Signatures such as Amazon's come with every chunk, whatever the length of the body.
        let signed =
            "400;chunk-signature=" + String(repeating: "0", count: 64) + "\r\n" + String(repeating: "x", count: 1024)
            + "\r\n"
        #expect(try status(String(repeating: signed, count: 500) + "0\r\n\r\n") == nil)
        for bad in [
            "1;\r\n", "1; a\r\n", "1;a=\r\n", "1;a b\r\n", "1 ;a\r\n", "1;a=\"b\r\n", "1;a=\"b\"c\r\n", "1;;a\r\n",
            "1;a=\u{1}\r\n",
        ] {
            #expect(try status(bad + "x\r\n0\r\n\r\n") == 400, "\(bad.debugDescription)")
        }
    }

    @Test("Trailers are bounded, and say nothing of the framing", arguments: [7, .max])
    func trailers(piece: Int) throws {
        let start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        for trailers in [
            String(repeating: "A: b\r\n", count: 201), "A: " + String(repeating: "b", count: 65_536) + "\r\n",
            "Content-Length: 5\r\n", "transfer-encoding: chunked\r\n", "Host: x\r\n", "Connection: close\r\n",
        ] {
            let wire = try RequestWire.read(Array((start + trailers + "\r\n").utf8), in: piece, by: .bytes)
            #expect(wire.error != nil && wire.requests.map(\.isWhole) == [false])
        }
    }

    @Test("The bounds hold for head and trailers together", arguments: [1, 7, .max], MessageCodec.allCases)
    func trailersBehindLongHead(piece: Int, codec: MessageCodec) throws {
        let long = "A: " + String(repeating: "b", count: 655) + "\r\n"
        // Host and Transfer-Encoding are lines too. 200 lines; 64 KiB, which NIOHTTP1 counts without what is around names and values.
        let cases = [
            ("A: b\r\n", 99, 99, true), ("A: b\r\n", 99, 100, false), (long, 49, 45, true), (long, 49, 52, false),
        ]
        for (line, before, behind, isWhole) in cases {
            let text =
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n" + String(repeating: line, count: before)
                + "\r\n0\r\n" + String(repeating: line, count: behind) + "\r\n"
            let wire = try RequestWire.read(Array(text.utf8), in: piece, by: codec)
            #expect(wire.requests.map(\.isWhole) == [isWhole], "\(behind) lines of \(line.utf8.count) bytes")
        }
    }

    @Test("A head at its bound leaves room for the end of a body without trailers", arguments: [1, 7, .max], [0, 1])
    func endBehindLongestHead(piece: Int, spare: Int) throws {
        let start = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nA: "
        let value = String(repeating: "b", count: MessageLimits().headBytes - spare - start.utf8.count - 4)
        let text = start + value + "\r\n\r\n0\r\n\r\n"
        let wire = try RequestWire.read(Array(text.utf8), in: piece, by: .bytes)
        #expect(wire.error == nil && wire.requests.map(\.isWhole) == [true])
    }

    @Test("What is left over of one read does not keep all earlier ones")
    func leftOvers() throws {
        var parser = RequestParser(limits: MessageLimits())
        parser.append(ByteBuffer(string: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"))
        _ = parser.next()
        // Each read ends in the middle of a size line.
        for _ in 0..<200 {
            parser.append(ByteBuffer(string: "0400\r\n" + String(repeating: "x", count: 1024) + "\r\n0"))
            while parser.next() != nil {}
            parser.append(ByteBuffer(string: "400\r\n" + String(repeating: "y", count: 1024) + "\r\n"))
            while parser.next() != nil {}
            #expect(parser.heldBytes == 0)
        }
        parser.append(ByteBuffer(string: "0"))
        _ = parser.next()
        for _ in 0..<200 {
            parser.append(ByteBuffer(string: "400\r\n" + String(repeating: "x", count: 1024) + "\r\n0"))
            while parser.next() != nil {}
            #expect(parser.heldBytes == 1 && parser.heldCapacity < 16_384)
        }
    }

    @Test("While a request waits for its answer nothing of what was read stays in the parser")
    func releasing() throws {
        var parser = RequestParser(limits: MessageLimits())
        parser.append(ByteBuffer(string: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"))
        while parser.next() != nil {}
        #expect(parser.heldCapacity == 0)
    }
}
