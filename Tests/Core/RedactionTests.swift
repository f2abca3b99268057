import Core
import NIOCore
import Testing

@Suite struct RedactionTests {
    @Test("Credentials are parted from fields, their names kept once")
    func split() {
        let redaction = Redaction(fields: ["X-Secret"])
        let fields = HeaderFields([
            ("Host", "x"), ("authorization", "Bearer 1"), ("Accept", "a"), ("X_API_KEY", "2"), ("Cookie", "3"),
            ("cookie", "4"),
            ("x-secret", "5"), ("x-goog-api-key", "6"), ("Api-Key", "7"), ("Proxy-Authorization", "8"),
            ("Set-Cookie", "9"),
            ("X-Secrets", "kept"),
        ])
        let (kept, removed) = redaction.split(fields)
        #expect(kept.pairs.map(\.name) == ["Host", "Accept", "X-Secrets"])
        #expect(
            removed == [
                "authorization", "X_API_KEY", "Cookie", "x-secret", "x-goog-api-key", "Api-Key", "Proxy-Authorization",
                "Set-Cookie",
            ]
        )
        var written = ByteBuffer()
        kept.write(into: &written)
        #expect(String(buffer: written) == "Host: x\r\nAccept: a\r\nX-Secrets: kept\r\n")
    }

    @Test("Without credentials fields stay as they are")
    func untouched() {
        let fields = HeaderFields([("Host", "x"), ("Accept", "a")])
        let (kept, removed) = Redaction().split(fields)
        #expect(kept.count == 2 && removed.isEmpty)
    }

    @Test("Query parameters lose their values, whatever their case, encoding or separator")
    func query() {
        let redaction = Redaction(queryParameters: ["api_key", "Token"])
        for (target, expected) in [
            ("/a?b=c", "/a?b=c"), ("/a", "/a"), ("/a?api_key=1", "/a?api_key=***"),
            ("/a?x=1&API_KEY=2&y=3&token=4", "/a?x=1&API_KEY=***&y=3&token=***"),
            ("/a?%61pi%5Fkey=1&b", "/a?%61pi%5Fkey=***&b"), ("/a?x=1;token=a;b&c=d", "/a?x=1;token=***&c=d"),
            ("/api_key=1?token=", "/api_key=1?token=***"), ("/?&&token=1&", "/?&&token=***&"),
            ("/?my_token=1", "/?my_token=1"),
            ("/?token", "/?token"), ("/?a=token=1", "/?a=token=1"), ("/?%", "/?%"),
        ] {
            #expect(String(buffer: redaction.redactQuery(ByteBuffer(string: target))) == expected)
        }
    }

    @Test("Credentials that are to be kept are kept")
    func keeping() {
        let redaction = Redaction(queryParameters: ["token"], keepsCredentials: true)
        #expect(redaction.split(HeaderFields([("Cookie", "x")])).kept.count == 1)
        #expect(redaction.redactQuery(ByteBuffer(string: "/?token=1")) == ByteBuffer(string: "/?token=1"))
    }
}
