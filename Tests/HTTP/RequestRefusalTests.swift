import CodecFuzz
import Core
import Testing

@testable import HTTP

/// What is refused at the door, with which status, by every codec.
@Suite struct RequestRefusalTests {
    /// A request and the status it is refused with.
    struct Refused: CustomTestStringConvertible {
        var status: Int
        var text: String

        init(_ status: Int, _ text: String) {
            self.status = status
            self.text = text
        }

        var testDescription: String { "\(status) \(text.prefix(120).debugDescription)" }
    }

    private static func get(_ fields: String, version: String = "1.1") -> String {
        "GET / HTTP/\(version)\r\n\(fields)\r\n\r\n"
    }

    private static func post(_ fields: String, body: String = "hello") -> String {
        "POST / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n\(body)"
    }

    /// So many names for `Connection`.
    private static func names(_ count: Int) -> String { (0..<count).map { "x\($0)" }.joined(separator: ", ") }

    static let refused: [Refused] = [
        // Lengths.
        Refused(400, post("Content-Length: 5\r\nTransfer-Encoding: chunked", body: "0\r\n\r\n")),
        Refused(400, post("Transfer-Encoding: chunked\r\nContent-Length: 5", body: "0\r\n\r\n")),
        Refused(400, post("Content-Length: 5\r\nContent-Length: 5")),
        Refused(400, post("Content-Length: 5\r\nX: y\r\ncontent-length: 6")),
        Refused(400, post("Content-Length: 5, 5")),
        Refused(400, post("Content-Length: +5")),
        Refused(400, post("Content-Length: -5")),
        Refused(400, post("Content-Length: 0x5")),
        Refused(400, post("Content-Length: 5 5")),
        Refused(400, post("Content-Length: five")),
        Refused(400, post("Content-Length:")),
        Refused(400, post("Content-Length: 99999999999999999999999")),
        // Transfer codings.
        Refused(400, post("Transfer-Encoding: gzip, chunked")),
        Refused(400, post("Transfer-Encoding: chunked, chunked")),
        Refused(400, post("Transfer-Encoding: chunked, gzip")),
        Refused(400, post("Transfer-Encoding: identity")),
        Refused(400, post("Transfer-Encoding:")),
        Refused(400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", body: "0\r\n\r\n")),
        Refused(400, post("Transfer-Encoding: chunked;q=1", body: "0\r\n\r\n")),
        Refused(400, post("Transfer-Encoding: \"chunked\"", body: "0\r\n\r\n")),
        Refused(400, post("Transfer-Encoding: chunked\t", body: "0\r\n\r\n")),
        Refused(400, post("Content-Length: 5\t")),
        Refused(501, post("Transfer-Encoding: xchunked")),
        Refused(501, post("Transfer-Encoding: foo, chunked", body: "0\r\n\r\n")),
        Refused(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        // Chunks.
        Refused(400, post("Transfer-Encoding: chunked", body: "zz\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "-1\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: " 5\r\nhello\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "0x5\r\nhello\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "\r\nhello\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "5\nhello\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "5\r\nhelloX\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "5\r\nhello\n0\r\n\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "10000000000000005\r\nhello\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "0\r\nbad trailer: 1\r\n\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "0\r\nA: b\r\n c\r\n\r\n")),
        Refused(400, post("Transfer-Encoding: chunked", body: "0\r\nA: b\u{1}\r\n\r\n")),
        // Fields.
        Refused(400, get("Host: x\r\nA: b\r\n folded")),
        Refused(400, get("Host: x\r\nA: b\r\n\tfolded")),
        Refused(400, get(" Host: x")),
        Refused(400, get("Host: x\r\nA : b")),
        Refused(400, get("Host: x\r\nA")),
        Refused(400, get("Host: x\r\n: b")),
        Refused(400, get("Host: x\r\nA\u{0}: b")),
        Refused(400, get("Host: x\r\nA(: b")),
        Refused(400, get("Host: x\r\nÄ: b")),
        Refused(400, get("Host: x\r\nA: b\u{0}c")),
        Refused(400, get("Host: x\r\nA: b\u{1}c")),
        Refused(400, get("Host: x\r\nA: b\u{7f}c")),
        Refused(400, get("Host: x\r\nA: b\rc")),
        Refused(400, get("Host: x\r\nA: b\r\rc")),
        Refused(400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\r\n"),
        Refused(400, get("Host: x\r\nConnection: " + names(33))),
        Refused(400, get("Host: x\r\nConnection: " + names(17) + "\r\nConnection: " + names(16))),
        // Host.
        Refused(400, get("A: b")),
        Refused(400, get("Host: a\r\nHost: a")),
        Refused(400, get("Host: a\r\nHost: b", version: "1.0")),
        Refused(400, get("Host:")),
        Refused(400, get("Host: a b")),
        Refused(400, get("Host: a/b")),
        Refused(400, get("Host: user@a")),
        Refused(400, get("Host: a:b")),
        Refused(400, get("Host: a:65536")),
        Refused(400, get("Host: :80")),
        Refused(400, get("Host: [::1")),
        Refused(400, get("Host: [zz]")),
        Refused(400, get("Host: a%2")),
        Refused(400, get("Host: ä")),
        // Request lines.
        Refused(400, "GET / x HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET /a\u{1}b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET /ä HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET a HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET ftp://a/b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET http:///b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET http://user@a/b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET http://a:99999/b HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET * HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET /a%0A HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET /%41/a%00b?c HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET /%%1f HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET http://a/%7F HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(505, "GET /\r\n\r\n"),
        Refused(400, " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "GET / HTTX/1.1\r\nHost: x\r\n\r\n"),
        Refused(400, "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}"),
        Refused(501, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refused(501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refused(501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refused(501, "GETX / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Refused(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Refused(505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        Refused(505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
        Refused(505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
        // Size.
        Refused(431, get("Host: x\r\nA: " + String(repeating: "b", count: 65_536))),
        Refused(431, "GET /" + String(repeating: "b", count: 65_536) + " HTTP/1.1\r\nHost: x\r\n\r\n"),
        Refused(431, get("Host: x" + String(repeating: "\r\nA: b", count: 200))),
        Refused(431, get("Host: x" + (0..<70).map { "\r\nA\($0): " + String(repeating: "b", count: 1000) }.joined())),
    ]

    static let taken: [String] = [
        get("Host: x\r\nConnection: " + names(32)), get("Host: a:"), get("Host: a_b.c"), get("Host: a%2d"),
        get("Host: [::ffff:1.2.3.4]:80"),
        get("Host: x\r\nA: b\tc"), get("Host: x\r\n!#$%&'*+-.^_`|~9aZ: b"),
        "GET /%20%0g%1%7e%?a=%0A%00 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a%0 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\"<>[]{}|\\^` HTTP/1.1\r\nHost: x\r\n\r\n", "GET //a/../b HTTP/1.1\r\nHost: x\r\n\r\n",
        post("Content-Length: 00005"),
        post("Transfer-Encoding: CHUNKED", body: "0005\r\nhello\r\n000\r\n\r\n"),
        get("Host: x" + String(repeating: "\r\nA: b", count: 199)),
        get("Host: x\r\nA: " + String(repeating: "b", count: 60_000)),
    ]

    @Test("A request that is not plainly one request is refused", arguments: MessageCodec.allCases, refused)
    func refuses(codec: MessageCodec, refused: Refused) throws {
        for piece in [1, 7, Int.max] {
            if piece < 7, refused.text.utf8.count > 10_000 { continue }
            let wire = try RequestWire.read(refused.text, in: piece, by: codec)
            #expect(
                wire.error?.status == refused.status,
                "in pieces of \(piece): \(wire.error.debugDescription) \(wire.requests)"
            )
            #expect(!wire.requests.contains { $0.isWhole })
            // Nothing follows.
            try wire.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(!wire.requests.contains { $0.isWhole })
        }
    }

    @Test("What is unusual but plain is taken", arguments: MessageCodec.allCases)
    func unusual(codec: MessageCodec) throws {
        for text in Self.taken {
            let wire = try RequestWire.read(text, by: codec)
            #expect(wire.error == nil && wire.requests.map(\.isWhole) == [true], "\(text.prefix(100).debugDescription)")
        }
    }
}
