import Core
import NIOConcurrencyHelpers
import NIOCore
import Queue
import Testing

@testable import Ingress

@Suite("Refusals", .timeLimit(.minutes(1)))
struct RefusalTests {
    @Test(
        "Each reason has its status and Retry-After",
        arguments: [
            (EndReason.noCapacity, 503, 60), (.noPods, 503, 60), (.exceedsEveryPod, 503, 60), (.queueFull, 429, 5),
            (.draining, 503, 1), (.gatewayEnded, 503, 1), (.storageUnavailable, 503, 5), (.operatorCancelled, 503, nil),
            (.bodyTooLarge, 413, nil), (.connectFailed, 503, 60), (.upstreamReset, 502, nil),
            (.upstreamTimeout, 504, nil),
        ] as [(EndReason, Int, Int?)]
    )
    func outcomes(_ reason: EndReason, _ status: Int, _ retryAfter: Int?) {
        let problem = ProblemAnswer(Refusal(reason: reason, detail: "d"))
        #expect(problem.status == status)
        #expect(problem.retryAfter == retryAfter)
        #expect(problem.reason == reason.rawValue)
    }

    @Test("What the dispatcher refuses is told as a problem document")
    func document() async throws {
        let intake = FakeIntake { call in
            call.act {
                $0.refuse(
                    Refusal(
                        reason: .noCapacity,
                        detail: "needs gpus=2; \"none\"\n",
                        retryAfter: 7,
                        requestID: FakeCall.id,
                        hold: .seconds(30)
                    )
                )
            }
        }
        let parts = try IngressParts(intake: intake)
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = await client.answer()
            #expect(answer.status == 503)
            #expect(answer.field("content-type") == "application/problem+json")
            #expect(answer.field("neutrino-reason") == "no_capacity")
            #expect(answer.field("retry-after") == "7")
            #expect(answer.field("neutrino-request-id") == FakeCall.id.description)
            #expect(answer.field("server-timing") == "hold;dur=30000.000")
            #expect(
                answer.body == """
                    {"type":"urn:neutrino-gateway:problem:no_capacity","title":"Service Unavailable","status":503,\
                    "detail":"needs gpus=2; \\"none\\"\\n","reason":"no_capacity","request_id":"\(FakeCall.id)"}

                    """
            )
            let call = await intake.next()
            await call.events.take { $0 == [.delivered] ? true : nil }
            // The connection goes on.
            try await client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.answer().status == 200)
        }
    }

    @Test("A pod's last answer is passed on in place of the gateway's own", arguments: ["GET", "HEAD"])
    func podAnswer(_ method: String) async throws {
        let intake = FakeIntake { call in
            let head = ResponseHead(
                status: 503,
                reason: "Busy",
                fields: HeaderFields([("Content-Length", "4"), ("Retry-After", "3")])
            )
            let kept = KeptAnswer(head: head, body: ByteBuffer(string: method == "HEAD" ? "" : "busy"))
            call.act {
                $0.refuse(Refusal(reason: .noCapacity, detail: "", requestID: FakeCall.id, podAnswer: kept))
            }
        }
        let parts = try IngressParts(intake: intake)
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("\(method) /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = await client.answer(toHead: method == "HEAD")
            #expect(answer.head.hasPrefix("HTTP/1.1 503 Busy\r\n"))
            #expect(answer.field("retry-after") == "3")
            #expect(answer.field("neutrino-reason") == nil)
            #expect(answer.field("content-length") == "4")
            let call = await intake.next()
            await call.events.take { $0 == [.delivered] ? true : nil }
        }
    }

    @Test(
        "What is no request that may be forwarded is refused, and the connection ends",
        arguments: [
            ("\u{1}\u{2}nonsense\r\n\r\n", 400),
            ("GET / HTTQ/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: strange\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n", 400),
            ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ]
    )
    func badInput(_ text: String, _ status: Int) async throws {
        try await refuses(text, status)
    }

    @Test("A head over its bound is refused")
    func largeHead() async throws {
        let field = "X: " + String(repeating: "x", count: 66_000)
        try await refuses("GET / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n", 431, "larger than 65536 bytes")
    }

    private func refuses(_ text: String, _ status: Int, _ detail: String = "") async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send(text)
            let answer = await client.answer()
            #expect(answer.status == status)
            #expect(answer.field("content-type") == "application/problem+json")
            #expect(answer.field("connection") == "close")
            #expect(detail.isEmpty || answer.body.contains(detail))
            #expect(await client.rest() == "")
            #expect(parts.intake.requests.now.isEmpty)
        }
    }

    @Test(
        "Paths of the gateway and of the pods' insides are not forwarded",
        arguments: [
            ("GET /health", 200), ("GET /ready?x", 503), ("POST /health", 405), ("GET /capacity", 404),
            ("GET /%63apacity", 404), ("GET /x/..//capacity?a", 404), ("POST /_requests/1", 404), ("GET /admin", 404),
            ("GET /admin/api/queue", 404), ("GET /_pod/stats", 404), ("GET /_pod", 404), ("GET /_p%6fd/requests", 404),
        ]
    )
    func reserved(_ line: String, _ status: Int) async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("\(line) HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = await client.answer()
            #expect(answer.status == status)
            if line.contains("/admin") { #expect(answer.body.contains("port of its own")) }
            if status == 405 { #expect(answer.field("allow") == "GET, HEAD") }
        }
    }

    @Test(
        "Paths that only look like the gateway's are forwarded",
        arguments: [
            "/healthy", "/health/", "/capacity2", "/v1/capacity", "/administrator", "/%68ealth", "/_requestsx",
            "/_pods",
        ]
    )
    func unreserved(_ path: String) async throws {
        let parts = try IngressParts(intake: FakeIntake { $0.answer(299) })
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.answer().status == 299)
        }
    }

    @Test("What may not be forwarded any further is answered here", arguments: [("OPTIONS", 200), ("TRACE", 501)])
    func maxForwards(_ method: String, _ status: Int) async throws {
        let parts = try IngressParts(intake: FakeIntake { $0.answer(299) })
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("\(method) /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
            let answer = await client.answer()
            #expect(answer.status == status)
            if status == 200 { #expect(answer.field("allow")?.contains("OPTIONS") == true) }
            try await client.send("\(method) /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\n\r\n")
            #expect(await client.answer().status == 299)
            let call = await parts.intake.next()
            #expect(call.request.fields.first("max-forwards") == "0")
        }
    }

    @Test("A route may claim /admin")
    func claimedAdmin() async throws {
        let parts = try IngressParts(intake: FakeIntake { $0.answer(299) })
        try parts.routes.load(document: nil, rules: [RouteRule(path: "/admin/{x}")], defaults: RouteDefaults())
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            try await client.send("GET /admin/a HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.answer().status == 299)
        }
    }

    @Test("An upgrade to WebSocket is refused, another is passed over")
    func upgrades() async throws {
        let parts = try IngressParts(intake: FakeIntake { $0.answer(200, [], "plain") })
        try await withServer(parts) { _, port in
            let upgrade = "Host: a\r\nConnection: upgrade\r\nUpgrade"
            let socket = try await RawClient(port)
            try await socket.send("GET / HTTP/1.1\r\n\(upgrade): websocket\r\n\r\n")
            #expect(await socket.answer().status == 501)
            let other = try await RawClient(port)
            try await other.send("GET / HTTP/1.1\r\n\(upgrade): h2c\r\n\r\n")
            #expect(await other.answer().body == "plain")
            #expect(!(await parts.intake.next().request.fields.contains("upgrade")))
        }
    }

    @Test(
        "A body over its bound is refused at once where its length is told, else when it is passed",
        arguments: [true, false]
    )
    func tooLarge(_ isTold: Bool) async throws {
        var parts = try IngressParts()
        parts.configuration.maxBodyBytes = 1000
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            let framing = isTold ? "Content-Length: 5000000" : "Transfer-Encoding: chunked"
            try await client.send("POST /a HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
            if !isTold { try await client.send("400\r\n" + String(repeating: "x", count: 1024)) }
            // The client goes on sending, and still gets the answer.
            for _ in 0..<40 { try? await client.send(bytes: 100_000) }
            let answer = await client.answer()
            #expect(answer.status == 413)
            #expect(answer.field("neutrino-reason") == "body_too_large")
            #expect(answer.field("connection") == "close")
            let rejections = await parts.journal.rejections.take { $0.isEmpty ? nil : $0 }
            #expect(rejections.map(\.reason) == [.bodyTooLarge])
            #expect(rejections[0].status == 413)
        }
        #expect(parts.budget.used == 0)
    }

    @Test(
        "Where the bodies of all requests fill their budget, 429 tells so, and the connection goes on after a short one"
    )
    func budget() async throws {
        let parts = try IngressParts(budget: 10)
        try await withServer(parts) { _, port in
            let holder = try await RawClient(port)
            try await holder.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678")
            let held = await parts.intake.next()
            #expect(parts.budget.used == 8)
            let client = try await RawClient(port)
            for _ in 0..<2 {
                try await client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n1234567")
                let answer = await client.answer()
                #expect(answer.status == 429)
                #expect(answer.field("retry-after") != nil)
                #expect(answer.field("neutrino-reason") == "queue_full")
                #expect(answer.field("connection") == nil)
                try await client.send("8")
            }
            held.answer()
            #expect(await holder.answer().status == 200)
            await held.events.take { $0 == [.delivered] ? true : nil }
            #expect(parts.budget.used == 0)
        }
    }

    @Test("A route that fills the budget leaves room for small requests of others, up to an eighth above it")
    func fairBudget() async throws {
        let parts = try IngressParts(budget: 6400)
        try parts.routes.load(document: nil, rules: [RouteRule(path: "/big")], defaults: RouteDefaults())
        try await withServer(parts) { _, port in
            func post(_ path: String, _ count: Int) async throws -> RawClient {
                let client = try await RawClient(port)
                try await client.send("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n")
                try await client.send(bytes: count)
                return client
            }
            let holder = try await post("/big", 6400)
            let held = await parts.intake.next()
            #expect(await (try await post("/big", 1)).answer().status == 429)
            // A 64th for another route, and no byte more.
            let other = try await post("/other", 100)
            let taken = await parts.intake.next()
            #expect(parts.budget.used == 6500)
            #expect(await (try await post("/other", 1)).answer().status == 429)
            taken.answer()
            held.answer()
            #expect(await other.answer().status == 200)
            #expect(await holder.answer().status == 200)
            await held.events.take { $0 == [.delivered] ? true : nil }
            await taken.events.take { $0 == [.delivered] ? true : nil }
        }
        #expect(parts.budget.used == 0)
        #expect((0..<2).allSatisfy { parts.budget.share(ofRoute: $0).used == 0 })
    }

    @Test("A body fills the budget until its answer begins, not until that ends")
    func budgetOfStreams() async throws {
        let parts = try IngressParts(budget: 10)
        try await withServer(parts) { _, port in
            let request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678"
            let stream = try await RawClient(port)
            try await stream.send(request)
            let streaming = await parts.intake.next()
            #expect(parts.budget.used == 8)
            streaming.begin(200, [], .chunked)
            streaming.body("event")
            _ = await stream.text(through: "event")
            #expect(parts.budget.used == 0)
            let other = try await RawClient(port)
            try await other.send(request)
            await parts.intake.next().answer()
            #expect(await other.answer().status == 200)
            streaming.end()
            _ = await stream.text(through: "0\r\n\r\n")
        }
        #expect(parts.budget.used == 0)
    }

    @Test("While nothing can be recorded, requests are refused; afterwards they are taken again")
    func storage() async throws {
        let parts = try IngressParts(intake: FakeIntake { $0.answer() })
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            parts.journal.problem.withLockedValue { $0 = StorageProblem(.full, "the disk is full") }
            try await client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let refused = await client.answer()
            #expect(refused.status == 503)
            #expect(refused.field("neutrino-reason") == "storage_unavailable")
            #expect(refused.field("retry-after") == "5")
            #expect(refused.body.contains("the disk is full"))
            parts.journal.problem.withLockedValue { $0 = nil }
            try await client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.answer().status == 200)
        }
    }
}
