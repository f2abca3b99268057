import Core
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@Suite("Traces, from a client through a pod to a collector")
struct TracingTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let parent = "b7ad6b7169203331"
    private static let room = ResourceVector(cpus: 4000, gpus: 0, memory: 8000)

    /// A span as the collector got it.
    private struct Span: Decodable {
        struct Attribute: Decodable {
            struct Value: Decodable {
                var stringValue: String?
                var intValue: String?
            }

            var key: String
            var value: Value
        }

        var traceId: String
        var spanId: String
        var parentSpanId: String?
        var name: String
        var kind: Int
        var attributes: [Attribute]

        func text(_ key: String) -> String? { attributes.first { $0.key == key }?.value.stringValue }
    }

    private struct Document: Decodable {
        struct ResourceSpans: Decodable { var scopeSpans: [ScopeSpans] }
        struct ScopeSpans: Decodable { var spans: [Span] }
        var resourceSpans: [ResourceSpans]

        var spans: [Span] { resourceSpans.flatMap(\.scopeSpans).flatMap(\.spans) }
    }

    /// A pod that says which `traceparent` it was sent.
    private func pod(_ group: any EventLoopGroup) async throws -> SmallServer {
        try await SmallServer(group: group) { request in
            request.head.uri == "/capacity"
                ? .init(body: #"{"available_cpus":4,"available_gpus":0,"available_memory_gb":8}"#)
                : .init(body: request.head.headers["traceparent"].joined(separator: "|"))
        }
    }

    @Test("a request's spans are one trace, which the pod goes on in, without anything that is secret")
    func whole() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let pod = try await pod(group)
        let collector = try await SmallServer(group: group) { _ in .init() }
        let settings = [
            "STATIC_BACKENDS": pod.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=token%20of%20ours",
        ]
        try await Cluster.run(pods: [Self.room], settings: settings) { cluster in
            let answer = try await cluster.client.send(
                .POST,
                "/cpu?key=sesame",
                headers: [
                    "traceparent": "00-\(Self.trace)-\(Self.parent)-01", "Authorization": "Bearer sesame",
                    "X-Other": "sesame",
                ],
                body: ByteBuffer(string: "sesame")
            )
            let (spans, requests) = await Self.spans(3, of: collector)
            let server = try #require(spans.first { $0.kind == 2 })
            let upstream = try #require(spans.first { $0.name == "upstream" })
            let hold = try #require(spans.first { $0.name == "hold" })
            #expect(Set(spans.map(\.traceId)) == [Self.trace])
            #expect(server.name == "POST /cpu")
            #expect(server.parentSpanId == Self.parent)
            #expect(hold.parentSpanId == server.spanId)
            #expect(upstream.parentSpanId == server.spanId)
            #expect(upstream.text("neutrino.pod") == pod.url)
            #expect(server.text("neutrino.request_id") == answer.headers.first(name: "Neutrino-Request-Id"))
            #expect(answer.text == "00-\(Self.trace)-\(upstream.spanId)-01")
            for request in requests {
                #expect(request.head.uri == "/v1/traces")
                #expect(request.head.headers["api-key"] == ["token of ours"])
                #expect(!request.body.contains("sesame"))
            }
        }
        try await collector.stop()
        try await pod.stop()
    }

    @Test("what its sender does not record goes on as it came, and a trace that is missing is begun")
    func sampling() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let pod = try await pod(group)
        let collector = try await SmallServer(group: group) { _ in .init() }
        let settings = ["STATIC_BACKENDS": pod.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url]
        try await Cluster.run(pods: [Self.room], settings: settings) { cluster in
            let unsampled = "00-\(Self.trace)-\(Self.parent)-00"
            let quiet = try await cluster.client.send(.POST, "/cpu", headers: ["traceparent": unsampled])
            #expect(quiet.text == unsampled)
            let begun = try await cluster.client.send(.POST, "/cpu")
            let (spans, _) = await Self.spans(3, of: collector)
            // All three are of the second request.
            #expect(spans.count { $0.parentSpanId == nil } == 1)
            let upstream = try #require(spans.first { $0.name == "upstream" })
            #expect(begun.text == "00-\(upstream.traceId)-\(upstream.spanId)-01")
            #expect(upstream.traceId != Self.trace)
        }
        try await collector.stop()
        try await pod.stop()
    }

    @Test("a collector that never answers costs its spans and nothing else")
    func silence() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let pod = try await pod(group)
        let collector = try await SmallServer(group: group) { _ in nil }
        let settings = ["STATIC_BACKENDS": pod.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url]
        try await Cluster.run(pods: [Self.room], settings: settings) { cluster in
            let first = try await cluster.client.send(.POST, "/cpu")
            #expect(first.status == 200)
            var calls = collector.requests.makeAsyncIterator()
            // The first batch hangs from here on.
            #expect(await calls.next() != nil)
            for _ in 0..<50 {
                let answer = try await cluster.client.send(.POST, "/cpu")
                #expect(answer.status == 200)
            }
        }
        // The gateway has ended although the call never did.
        try await collector.stop()
        try await pod.stop()
    }

    /// Waits until the collector has so many.
    private static func spans(_ count: Int, of collector: SmallServer) async -> ([Span], [SmallServer.Request]) {
        var spans: [Span] = []
        var requests: [SmallServer.Request] = []
        for await request in collector.requests {
            requests.append(request)
            guard let document = try? JSONDecoder().decode(Document.self, from: Data(request.body.utf8)) else {
                continue
            }
            spans += document.spans
            if spans.count >= count { break }
        }
        return (spans, requests)
    }
}
