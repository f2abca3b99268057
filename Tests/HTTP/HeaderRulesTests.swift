import CodecFuzz
import Core
import NIOCore
import Testing

@testable import HTTP

@Suite struct HeaderRulesTests {
    /// Numbers that count up, so that what is begun is known.
    private struct Counter: RandomNumberGenerator {
        var value: UInt64 = 0
        mutating func next() -> UInt64 {
            value += 1
            return value
        }
    }

    private static let client = ForwardingPeer(address: "192.0.2.7")
    private static let proxy = ForwardingPeer(address: "10.0.0.1", isTrusted: true)

    private static func forward(
        _ pairs: [(String, String)],
        from peer: ForwardingPeer = client,
        version: HTTPVersion = .http11,
        method: RequestMethod = .post
    ) -> [String] {
        let head = RequestHead(
            method: method,
            target: ByteBuffer(string: "/"),
            version: version,
            fields: HeaderFields(pairs)
        )
        var counter = Counter()
        return HeaderRules.forwarded(head, from: peer, generator: &counter).lines
    }

    private static let begun = "traceparent: 00-00000000000000010000000000000003-0000000000000003-01"

    @Test("A plain request gets what the gateway says, and keeps the rest as it came")
    func plain() {
        #expect(
            Self.forward([("host", "a:80"), ("Accept", "*/*"), ("X-Thing", "1"), ("x-thing", "2")]) == [
                "host: a:80", "Accept: */*", "X-Thing: 1", "x-thing: 2", "Via: 1.1 neutrino",
                "X-Forwarded-For: 192.0.2.7",
                "X-Forwarded-Proto: http", "X-Forwarded-Host: a:80", Self.begun,
            ]
        )
    }

    @Test("An HTTP/1.0 request without a Host has no X-Forwarded-Host")
    func http10() {
        #expect(
            Self.forward([], from: ForwardingPeer(address: "::1", isSecure: true), version: .http10) == [
                "Via: 1.0 neutrino", "X-Forwarded-For: ::1", "X-Forwarded-Proto: https", Self.begun,
            ]
        )
    }

    @Test("What belongs to the connection is dropped, and what Connection names")
    func hopByHop() {
        let lines = Self.forward([
            ("Connection", "close, X-One ,Keep-Alive,, x-two"), ("X-One", "1"), ("x-ONE", "1"), ("X-Two", "2"),
            ("X-Three", "3"),
            ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"), ("TE", "trailers"), ("Trailer", "X"),
            ("Transfer-Encoding", "chunked"), ("Upgrade", "h2c"), ("HTTP2-Settings", "x"), ("connection", "X-Four"),
            ("X-Four", "4"),
            ("Content-Length", "5"), ("Content_Length", "6"), ("Expect", "100-continue"),
        ])
        #expect(lines.filter { $0.hasPrefix("X-") && !$0.hasPrefix("X-Forwarded") } == ["X-Three: 3"])
        #expect(lines.count == 1 + 4)
    }

    @Test(
        "Connection cannot make a field vanish that is for every recipient",
        arguments: [
            "Host", "Authorization", "Cookie", "Content-Type", "content-encoding", "Idempotency-Key", "traceparent",
            "Via", "X-Request-Id",
        ]
    )
    func protected(name: String) {
        let value = name == "traceparent" ? "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" : "x"
        #expect(Self.forward([("Connection", "close, \(name)"), (name, value)]).contains("\(name): \(value)"))
    }

    @Test("Only the gateway says what only the gateway may say")
    func ours() {
        let lines = Self.forward([
            ("Neutrino-Resources", "gpus=9"), ("NEUTRINO_Request-Id", "1"), ("neutrino_reason", "1"),
            ("Neutrino-Anything", "1"), ("neutrino_", "1"), ("Neutrino-", "1"),
            ("Neutrinos", "kept"), ("X-Neutrino-A", "kept"),
        ])
        #expect(
            lines.filter { $0.lowercased().contains("neutrino") } == [
                "Neutrinos: kept", "X-Neutrino-A: kept", "Via: 1.1 neutrino",
            ]
        )
    }

    @Test("What a stranger says of who was before it is replaced")
    func untrusted() {
        let lines = Self.forward([
            ("Host", "a"), ("X-Forwarded-For", "1.1.1.1"), ("x_forwarded_for", "2.2.2.2"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil"), ("Forwarded", "for=1.1.1.1"),
        ])
        #expect(
            lines.dropLast() == [
                "Host: a", "Via: 1.1 neutrino", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: http",
                "X-Forwarded-Host: a",
            ]
        )
    }

    @Test("To what a trusted proxy says its address is added")
    func trusted() {
        let lines = Self.forward(
            [
                ("Host", "a"), ("X-Forwarded-For", "1.1.1.1, 2.2.2.2"), ("X-Forwarded-For", "3.3.3.3"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "b"), ("Via", "1.1 lb"), ("Connection", "X-Forwarded-For"),
            ],
            from: Self.proxy
        )
        #expect(
            lines.dropLast() == [
                "Host: a", "X-Forwarded-Proto: https", "X-Forwarded-Host: b", "Via: 1.1 lb", "Via: 1.1 neutrino",
                "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3, 10.0.0.1",
            ]
        )
    }

    @Test("What a client wrote past its trusted proxy, with underscores, is nobody's word")
    func underscores() {
        let lines = Self.forward(
            [
                ("Host", "a"), ("X_Forwarded_For", "6.6.6.6"), ("X-Forwarded-For", "1.1.1.1"),
                ("X-Forwarded_For", "7.7.7.7"), ("x_forwarded_proto", "https"), ("X_Forwarded-Host", "evil"),
            ],
            from: Self.proxy
        )
        #expect(
            lines.dropLast() == [
                "Host: a", "Via: 1.1 neutrino", "X-Forwarded-For: 1.1.1.1, 10.0.0.1", "X-Forwarded-Proto: http",
                "X-Forwarded-Host: a",
            ]
        )
    }

    @Test("Max-Forwards counts down where it means something")
    func maxForwards() {
        func forwarded(_ value: String, _ method: RequestMethod) -> [String] {
            Self.forward([("max-forwards", value)], method: method).filter { $0.lowercased().hasPrefix("max-") }
        }
        #expect(forwarded("3", .options) == ["Max-Forwards: 2"])
        #expect(forwarded("1", .trace) == ["Max-Forwards: 0"])
        #expect(forwarded("3", .get) == ["max-forwards: 3"])
        #expect(forwarded("x", .trace) == ["max-forwards: x"])
        #expect(forwarded(String(repeating: "9", count: 30), .options) == ["Max-Forwards: 254"])
    }

    @Test("A valid trace goes on; with any other a new one begins")
    func traces() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
        #expect(
            Self.forward([("TraceParent", valid), ("tracestate", "a=b")]).prefix(2) == [
                "TraceParent: \(valid)", "tracestate: a=b",
            ]
        )
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes"
        #expect(Self.forward([("traceparent", later)]).first == "traceparent: \(later)")
        for broken in [
            "", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-00",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-00", valid + "-x", valid + "0",
            String(valid.dropLast()),
            "ff" + valid.dropFirst(2), "0g" + valid.dropFirst(2), valid.replacing("-", with: "_"),
        ] {
            let lines = Self.forward([("traceparent", broken), ("tracestate", "a=b")])
            #expect(lines.last == Self.begun && !lines.contains("tracestate: a=b"), "\(broken)")
        }
        #expect(Self.forward([("traceparent", valid), ("traceparent", valid)]).last == Self.begun)
    }

    @Test("An answer loses what belongs to its connection only")
    func answers() {
        var head = ResponseHead(
            status: 200,
            reason: "OK",
            fields: HeaderFields([
                ("Content-Length", "5"), ("Connection", "keep-alive, X-Hop"), ("X-Hop", "1"),
                ("Keep-Alive", "timeout=5"),
                ("Trailer", "X-Sum"), ("Server-Timing", "a;dur=1"), ("Set-Cookie", "a"), ("set-cookie", "b"),
                ("Upgrade", "h2"),
            ])
        )
        HeaderRules.receive(&head)
        #expect(
            head.fields.lines == [
                "Content-Length: 5", "Trailer: X-Sum", "Server-Timing: a;dur=1", "Set-Cookie: a", "set-cookie: b",
            ]
        )
    }

    @Test("Trailers lose what has no place there")
    func trailers() {
        let fields = HeaderFields([
            ("X-Sum", "1"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Set-Cookie", "a"),
            ("Neutrino-Reason", "x"),
            ("Host", "a"), ("grpc-status", "0"),
        ])
        #expect(HeaderRules.trailers(fields)?.lines == ["X-Sum: 1", "grpc-status: 0"])
        #expect(HeaderRules.trailers(HeaderFields([("Host", "a")])) == nil)
        #expect(HeaderRules.trailers(nil) == nil)
    }

    @Test("What a request says of its connection")
    func signs() {
        func head(_ pairs: [(String, String)], _ version: HTTPVersion = .http11) -> RequestHead {
            RequestHead(method: .get, target: ByteBuffer(string: "/"), version: version, fields: HeaderFields(pairs))
        }
        #expect(head([]).keepsConnection)
        #expect(!head([("Connection", "x, close")]).keepsConnection)
        #expect(!head([], .http10).keepsConnection)
        #expect(head([("Connection", "Keep-Alive")], .http10).keepsConnection)
        #expect(head([("Expect", "100-Continue")]).expectsContinue)
        #expect(!head([("Expect", "100-continue")], .http10).expectsContinue)
        #expect(head([("Upgrade", "h2c, WebSocket")]).asksForWebSocket)
        #expect(!head([("Upgrade", "h2c")]).asksForWebSocket)
    }
}
