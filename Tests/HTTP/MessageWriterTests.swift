import Core
import NIOCore
import Testing

@testable import HTTP

@Suite struct MessageWriterTests {
    private static func request(
        _ method: RequestMethod,
        _ pairs: [(String, String)],
        body: RequestBody,
        extra: String = ""
    ) -> String {
        var buffer = ByteBuffer()
        let request = OutboundRequest(
            method: method,
            target: ByteBuffer(string: "/a?b"),
            fields: HeaderFields(pairs),
            extraFields: ByteBuffer(string: extra),
            body: body,
            mayReuseIdle: true,
            firstByteTimeout: .seconds(1)
        )
        MessageWriter.writeHead(request, authority: "10.0.0.7:8080", into: &buffer)
        return String(buffer: buffer)
    }

    @Test("A request's head has its fields, the gateway's, and the length of its body")
    func requests() {
        #expect(
            Self.request(
                .post,
                [("Host", "a"), ("X", "1")],
                body: .memory(ByteBuffer(string: "hello")),
                extra: "Y: 2\r\n"
            )
                == "POST /a?b HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nContent-Length: 5\r\n\r\n"
        )
        let spooled = RequestBody.spooled(SpooledBody(name: "n", path: "/n", byteCount: 1_000_000))
        #expect(Self.request(.msearch, [("Host", "a")], body: spooled).hasPrefix("M-SEARCH /a?b HTTP/1.1\r\n"))
        #expect(Self.request(.msearch, [("Host", "a")], body: spooled).hasSuffix("\r\nContent-Length: 1000000\r\n\r\n"))
    }

    @Test("Without a Host the pod's own is written; without a body a length only where one is expected")
    func requestsWithout() {
        #expect(
            Self.request(.get, [("X", "1")], body: .none) == "GET /a?b HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nX: 1\r\n\r\n"
        )
        for method in [RequestMethod.post, .put, .patch] {
            #expect(Self.request(method, [("Host", "a")], body: .none).hasSuffix("\r\nContent-Length: 0\r\n\r\n"))
        }
        #expect(
            Self.request(.delete, [("Host", "a")], body: .memory(ByteBuffer())).hasSuffix(
                "\r\nContent-Length: 0\r\n\r\n"
            )
        )
    }

    @Test("An answer's head says what it is told about framing and connection")
    func answers() {
        func write(
            _ framing: MessageWriter.AnswerFraming,
            _ connection: MessageWriter.AnswerConnection,
            extra: String = ""
        ) -> String {
            var buffer = ByteBuffer()
            MessageWriter.writeHead(
                ResponseHead(
                    status: 404,
                    reason: "Not Found",
                    fields: HeaderFields([("Content-Length", "7"), ("X", "1")])
                ),
                framing: framing,
                connection: connection,
                extraFields: ByteBuffer(string: extra),
                into: &buffer
            )
            return String(buffer: buffer)
        }
        #expect(write(.length(3), .unsaid) == "HTTP/1.1 404 Not Found\r\nX: 1\r\nContent-Length: 3\r\n\r\n")
        #expect(
            write(.chunked, .close, extra: "Y: 2\r\n")
                == "HTTP/1.1 404 Not Found\r\nX: 1\r\nY: 2\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        #expect(
            write(.unsaid, .keepAlive)
                == "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\nX: 1\r\nConnection: keep-alive\r\n\r\n"
        )
    }

    @Test(
        "Chunks are framed in hexadecimal",
        arguments: [(1, "1"), (10, "a"), (16, "10"), (65_535, "ffff"), (Int.max, "7fffffffffffffff")]
    )
    func chunks(size: Int, text: String) {
        var buffer = ByteBuffer()
        MessageWriter.writeChunkStart(size: size, into: &buffer)
        #expect(String(buffer: buffer) == text + "\r\n")
    }

    @Test("The last chunk carries the trailers")
    func lastChunk() {
        var buffer = ByteBuffer()
        MessageWriter.writeLastChunk(into: &buffer)
        MessageWriter.writeLastChunk(trailers: HeaderFields([("A", "b")]), into: &buffer)
        #expect(String(buffer: buffer) == "0\r\n\r\n0\r\nA: b\r\n\r\n")
    }
}
