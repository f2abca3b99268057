import Core
import HTTP
import NIOCore
import Queue
import Testing

@testable import Ingress

@Suite("Requests and answers over a socket", .timeLimit(.minutes(1)))
struct ForwardingTests {
    @Test("A request is handed over whole, and its answer comes back with the gateway's fields")
    func requestAndAnswer() async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send(
                "POST /v1/infer?a=%20b HTTP/1.1\r\nHost: gw\r\nContent-Length: 5\r\nX-Mine: 1\r\nPrefer: wait=7\r\n"
                    + "Neutrino-Request-Id: fake\r\nIdempotency-Key: k\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n\r\nhello"
            )
            let call = await parts.intake.next()
            #expect(call.request.method == .post)
            #expect(String(buffer: call.request.target) == "/v1/infer?a=%20b")
            #expect(call.bodyText == "hello")
            #expect(call.request.fields.first("x-mine") == "1")
            #expect(call.request.fields.first("host") == "gw")
            #expect(call.request.fields.first("x-forwarded-for") == "127.0.0.1")
            for dropped in ["neutrino-request-id", "connection", "x-hop", "content-length"] {
                #expect(!call.request.fields.pairs.contains { $0.name.lowercased() == dropped })
            }
            #expect(call.request.holdLimit == .seconds(7))
            #expect(call.request.hasIdempotencyKey)
            #expect(call.request.clientAddress == "127.0.0.1")
            #expect(call.request.needs == ResourceVector(cpus: 1000, gpus: 0, memory: 1000))

            call.answer(
                201,
                [
                    ("X-Pod", "p"), ("Content-Length", "2"), ("Neutrino-Reason", "x"),
                    ("neutrino-capacity", "cpus=1"), ("date", "then"), ("Neutrino-Foo", "x"), ("NEUTRINO_REASON", "x"),
                    ("Neutrino-Resources", "x"), ("Neutrinos", "2"),
                ],
                "ok"
            )
            let answer = await client.answer()
            #expect(
                answer.head.hasPrefix(
                    "HTTP/1.1 201 Fine\r\nX-Pod: p\r\nContent-Length: 2\r\ndate: then\r\nNeutrinos: 2\r\n"
                )
            )
            #expect(answer.body == "ok")
            #expect(answer.field("neutrino-request-id") == FakeCall.id.description)
            #expect(answer.field("server-timing") == "hold;dur=1.500, upstream;dur=12.000")
            #expect(answer.field("neutrino-reason") == nil)
            #expect(answer.field("neutrino-capacity") == nil)
            #expect(
                answer.head.lowercased().split(separator: "\r\n").count {
                    $0.hasPrefix("neutrino-") || $0.hasPrefix("neutrino_")
                } == 1,
                "one is the gateway's own"
            )
            #expect(answer.field("connection") == nil)
            await call.events.take { $0 == [.delivered] ? true : nil }
        }
    }

    @Test(
        "Pipelined requests are taken one after the other, each when the answer before it is written",
        arguments: MessageCodec.allCases
    )
    func pipelining(_ codec: MessageCodec) async throws {
        var parts = try IngressParts()
        parts.configuration.codec = codec
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            let one = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            let two = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
            let three = "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"
            try await client.send(one + two + three + three)
            let first = await parts.intake.next()
            #expect(String(buffer: first.request.target) == "/1")
            try await first.request.eventLoop.submit {}.get()
            #expect(parts.intake.requests.now.isEmpty)
            first.answer(200, [], "first")
            #expect(await client.answer().body == "first")
            #expect(await client.answer().body == "{\"status\":\"ok\"}\n")
            for _ in 0..<2 {
                let call = await parts.intake.next()
                #expect(String(buffer: call.request.target) == "/3")
                call.answer(200, [], "third")
                #expect(await client.answer().body == "third")
            }
        }
    }

    @Test("100 Continue comes once the request is admitted, and not where it is refused")
    func expectContinue() async throws {
        var parts = try IngressParts()
        parts.configuration.maxBodyBytes = 10
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(await client.text(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            try await client.send("abc")
            let call = await parts.intake.next()
            #expect(call.bodyText == "abc")
            #expect(!call.request.fields.contains("expect"))
            call.answer()
            #expect(await client.answer().status == 200)
            try await client.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
            let refused = await client.answer()
            #expect(refused.status == 413)
            #expect(refused.field("connection") == "close")
        }
    }

    @Test(
        "The answer is framed for its client",
        arguments: [
            // Request line, pod's status and framing, head ends with, what follows it
            ("GET / HTTP/1.1", 200, BodyFraming.chunked, "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
            ("GET / HTTP/1.1", 200, .untilClose, "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
            ("GET / HTTP/1.1", 200, .length(5), "Content-Length: 5", "hello"),
            ("GET / HTTP/1.0", 200, .chunked, "Connection: close", "hello"),
            ("GET / HTTP/1.0", 200, .length(5), "Connection: close", "hello"),
            ("HEAD / HTTP/1.1", 200, .none, "upstream;dur=12.000", ""),
            ("GET / HTTP/1.1", 204, .none, "upstream;dur=12.000", ""),
            ("GET / HTTP/1.1", 304, .none, "upstream;dur=12.000", ""),
            ("GET / HTTP/1.1", 205, .none, "Content-Length: 0", ""),
        ]
    )
    func framing(_ line: String, _ status: Int, _ framing: BodyFraming, _ last: String, _ rest: String) async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("\(line)\r\nHost: a\r\n\r\n")
            let call = await parts.intake.next()
            call.act { sink in
                sink.begin(
                    ResponseHead(status: status, reason: "R", fields: HeaderFields([("A", "b")])),
                    framing: framing,
                    timing: FakeCall.timing
                )
                if framing != .none { sink.body(ByteBuffer(string: "hello")) }
                sink.end(trailers: nil)
            }
            await call.events.take { $0 == [.delivered] ? true : nil }
            let head = await client.text(through: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 \(status) R\r\nA: b\r\n"))
            #expect(head.hasSuffix("\(last)\r\n\r\n"))
            if !rest.isEmpty { #expect(await client.text(through: rest) == rest) }
            if line.hasSuffix("1.0") {
                #expect(await client.rest() == "")
            } else {
                try await client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(await client.answer().status == 200)
            }
        }
    }

    @Test("A HEAD answer keeps the Content-Length of the body that it has not")
    func headLength() async throws {
        let parts = try IngressParts(
            intake: FakeIntake {
                $0.begin(200, [("Content-Length", "99")], .none)
                $0.end()
            }
        )
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.answer(toHead: true).field("content-length") == "99")
        }
    }

    @Test("HTTP/1.0 keeps its connection where it asks to")
    func keepAliveOfHTTP10() async throws {
        let parts = try IngressParts(intake: FakeIntake { $0.answer(200, [], "x") })
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            for _ in 0..<2 {
                try await client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                let answer = await client.answer()
                #expect(answer.body == "x")
                #expect(answer.field("connection") == "keep-alive")
            }
        }
    }

    @Test("Parts of a stream are passed on as they come, trailers last")
    func streaming() async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("GET /sse HTTP/1.1\r\nHost: a\r\n\r\n")
            let call = await parts.intake.next()
            call.begin(200, [("Content-Type", "text/event-stream")], .chunked)
            _ = await client.text(through: "\r\n\r\n")
            for index in 0..<3 {
                call.body("data: \(index)\n\n")
                #expect(await client.text(through: "\n\n\r\n") == "9\r\ndata: \(index)\n\n\r\n")
            }
            let large = String(repeating: "y", count: 100_000)
            call.body(large)
            #expect(await client.text(through: "y\r\n") == "186a0\r\n\(large)\r\n")
            call.act { $0.end(trailers: HeaderFields([("X-Sum", "1"), ("Content-Length", "3")])) }
            #expect(await client.text(through: "\r\n\r\n") == "0\r\nX-Sum: 1\r\n\r\n")
        }
    }

    @Test(
        "An answer that the pod broke off is seen to be cut",
        arguments: [BodyFraming.chunked, .length(50), .untilClose]
    )
    func abort(_ framing: BodyFraming) async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            let version = framing == .untilClose ? "1.0" : "1.1"
            try await client.send("GET / HTTP/\(version)\r\nHost: a\r\n\r\n")
            let call = await parts.intake.next()
            call.begin(200, [], framing)
            call.body("part")
            _ = await client.text(through: "part")
            call.act { $0.abort() }
            let rest = await client.rest()
            if framing == .untilClose {
                #expect(rest == nil, "an answer that ends with the connection is cut by a reset")
            } else {
                #expect(rest == (framing == .chunked ? "\r\n" : ""))
            }
            #expect(call.events.now.isEmpty)
        }
    }
}
