import Core
import InMemoryTracing
import NIOCore
import Queue
import Testing
import Tracing

@testable import Dispatcher

@Suite("The spans of a traced request")
struct TracingTests {
    private let tracer = InMemoryTracer()

    private func spans(_ name: String) -> [FinishedInMemorySpan] {
        tracer.finishedSpans.filter { $0.operationName == name }
    }

    private func text(_ span: FinishedInMemorySpan?, _ attribute: String) -> String? {
        guard case .string(let value) = span?.attributes.get(attribute) else { return nil }
        return value
    }

    @Test("hold and upstream are in the server's span, and the pod is told the upstream's")
    func answered() async throws {
        let bench = try await Bench(tracer: tracer)
        bench.sample()
        _ = try await bench.submit().outcome
        _ = try await bench.journal.outcome()
        #expect(tracer.finishedSpans.map(\.operationName) == ["hold", "upstream", "POST"])
        #expect(tracer.activeSpans.isEmpty)
        let server = try #require(spans("POST").first)
        let upstream = try #require(spans("upstream").first)
        #expect(server.kind == .server)
        #expect(server.parentSpanID == nil)
        #expect(upstream.kind == .client)
        #expect(upstream.parentSpanID == server.spanID)
        #expect(spans("hold").first?.parentSpanID == server.spanID)
        #expect(bench.transport.fields[0].first("in-memory-span-id") == upstream.spanID)
        #expect(bench.transport.fields[0].first("in-memory-trace-id") == server.traceID)
        #expect(text(server, "neutrino.state") == "completed")
        #expect(text(server, "neutrino.request_id") == (try await bench.journal.outcome()).id.description)
        #expect(server.attributes.get("http.response.status_code") == .int64(200))
        #expect(text(upstream, "neutrino.pod") == "pod")
        #expect(server.status == nil)
        #expect(server.startInstant.nanosecondsSinceEpoch <= upstream.startInstant.nanosecondsSinceEpoch)
        #expect(server.endInstant.nanosecondsSinceEpoch >= upstream.endInstant.nanosecondsSinceEpoch)
        let age = DefaultTracerClock.now.nanosecondsSinceEpoch - server.startInstant.nanosecondsSinceEpoch
        #expect(age < 60_000_000_000, "a span's time is a time of day")
        try await bench.end()
    }

    @Test("a request that came with a trace goes on in it")
    func continued() async throws {
        let bench = try await Bench(tracer: tracer)
        bench.sample()
        let fields = HeaderFields([("In-Memory-Trace-Id", "t"), ("in-memory-span-id", "s"), ("Accept", "*/*")])
        _ = try await bench.submit(fields: fields).outcome
        _ = try await bench.journal.outcome()
        let server = try #require(spans("POST").first)
        #expect(server.traceID == "t")
        #expect(server.parentSpanID == "s")
        let sent = bench.transport.fields[0]
        #expect(sent.values("in-memory-trace-id") == ["t"])
        #expect(sent.values("in-memory-span-id") == [spans("upstream").first?.spanID])
        #expect(sent.first("accept") == "*/*")
        try await bench.end()
    }

    @Test("each attempt is a span, and each wait between")
    func attempts() async throws {
        let bench = try await Bench(script: [.answer(503, "busy"), .fail(.reset)], tracer: tracer)
        bench.sample()
        let sink = try await bench.submit(method: .get)
        for attempt in 1...2 {
            try await bench.transport.sent(attempt)
            // It goes again when a sample shows room.
            while await bench.dispatcher.load.waiting == 0, bench.transport.count == attempt { await Task.yield() }
            bench.sample()
        }
        #expect(try await sink.outcome == .answered(status: 200, body: "hello"))
        _ = try await bench.journal.outcome()
        #expect(spans("upstream").map { text($0, "error.type") } == ["busy", "reset", nil])
        #expect(spans("upstream").map { $0.status?.code == .error } == [true, true, false])
        #expect(
            spans("upstream").map { $0.attributes.get("http.request.resend_count") } == [nil, .int64(1), .int64(2)]
        )
        #expect(spans("hold").count == 3)
        #expect(tracer.activeSpans.isEmpty)
        try await bench.end()
    }

    @Test("a hold that ends without a pod is a span that ends with the server's, in error")
    func expired() async throws {
        let bench = try await Bench(holdTimeout: .milliseconds(30), tracer: tracer)
        _ = try await bench.submit().outcome
        _ = try await bench.journal.outcome()
        #expect(tracer.finishedSpans.map(\.operationName) == ["hold", "POST"])
        let server = spans("POST").first
        #expect(text(server, "neutrino.state") == "expired")
        #expect(text(server, "error.type") == text(server, "neutrino.reason"))
        #expect(server?.status?.code == .error)
        try await bench.end()
    }

    @Test("a client that leaves ends all spans")
    func left() async throws {
        let bench = try await Bench(script: [.silence], tracer: tracer)
        bench.sample()
        let sink = try await bench.submit()
        try await bench.transport.sent(1)
        sink.leave()
        _ = try await bench.journal.outcome()
        #expect(text(spans("upstream").first, "error.type") == "client_closed")
        #expect(text(spans("POST").first, "neutrino.state") == "cancelled")
        #expect(tracer.activeSpans.isEmpty)
        try await bench.end()
    }

    @Test("one that is refused at the door has the server's span alone")
    func refused() async throws {
        let bench = try await Bench(tracer: tracer)
        await bench.dispatcher.beginDrain()
        _ = try await bench.submit().outcome
        #expect(tracer.finishedSpans.map(\.operationName) == ["POST"])
        #expect(text(spans("POST").first, "neutrino.reason") == "draining")
        try await bench.end()
    }

    @Test("without a tracer the fields go on as they came")
    func untraced() async throws {
        let bench = try await Bench()
        bench.sample()
        _ = try await bench.submit(fields: HeaderFields([("traceparent", "x")])).outcome
        #expect(bench.transport.fields[0].pairs.map(\.name) == ["traceparent"])
        try await bench.end()
    }
}
