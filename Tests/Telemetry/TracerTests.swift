import Foundation
import HTTP
import NIOConcurrencyHelpers
import Testing
import Tracing

@testable import Telemetry

@Suite("The tracer")
struct TracerTests {
    /// Fields of a request, as a carrier.
    private struct Fields: Extractor, Injector {
        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
    }

    private struct Instant: TracerInstant {
        var nanosecondsSinceEpoch: UInt64
        static func < (left: Instant, right: Instant) -> Bool {
            left.nanosecondsSinceEpoch < right.nanosecondsSinceEpoch
        }
    }

    private let buffer = SpanBuffer()
    private let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"

    /// Its ids count from 1.
    private func tracer(_ sampler: TraceSampler = TraceSampler()) -> OTLPTracer {
        let next = NIOLockedValueBox<UInt64>(0)
        return OTLPTracer(sampler: sampler, buffer: buffer) {
            next.withLockedValue { next in
                next += 2
                return next
            }
        }
    }

    private func context(_ tracer: OTLPTracer, _ fields: [String: String]) -> InstrumentationContext {
        var context = InstrumentationContext.topLevel
        tracer.extract(fields, into: &context, using: Fields())
        return context
    }

    private func injected(_ tracer: OTLPTracer, _ span: OTLPSpan) -> [String: String] {
        var fields: [String: String] = [:]
        tracer.inject(span.context, into: &fields, using: Fields())
        return fields
    }

    @Test("a span of a trace that came goes on in it, and hands its own id on")
    func continues() {
        let tracer = tracer()
        let fields = ["traceparent": "\(parent)-01", "tracestate": "a=b"]
        let span = tracer.startSpan(
            "a",
            context: context(tracer, fields),
            ofKind: .server,
            at: Instant(nanosecondsSinceEpoch: 5)
        )
        #expect(span.isRecording)
        #expect(
            injected(tracer, span) == [
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-0000000000000003-01", "tracestate": "a=b",
            ]
        )
        let child = tracer.startSpan("b", context: span.context, ofKind: .client, at: Instant(nanosecondsSinceEpoch: 6))
        child.end(at: Instant(nanosecondsSinceEpoch: 9))
        span.end(at: Instant(nanosecondsSinceEpoch: 8))
        let ended = buffer.take()
        #expect(ended.map(\.name) == ["b", "a"])
        #expect(ended.map(\.parentSpan) == [3, 0xb7ad_6b71_6920_3331])
        #expect(ended.map(\.start) == [6, 5])
        #expect(ended.map(\.end) == [9, 8])
        #expect(ended.map(\.own.traceID) == ["0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319c"])
    }

    @Test("without one, or with one that is not valid, a trace begins", arguments: ["", "00-0-0-01", "ff-x"])
    func begins(value: String) {
        let tracer = tracer()
        let fields = value.isEmpty ? [:] : ["traceparent": value]
        let span = tracer.startSpan("a", context: context(tracer, fields))
        #expect(injected(tracer, span)["traceparent"] == "00-00000000000000020000000000000005-0000000000000007-01")
        span.end()
        #expect(buffer.take().map(\.parentSpan) == [nil])
    }

    @Test("what its sender does not record is not recorded, and still goes on")
    func unsampled() {
        let tracer = tracer()
        let span = tracer.startSpan("a", context: context(tracer, ["traceparent": "\(parent)-00"]))
        #expect(!span.isRecording)
        #expect(injected(tracer, span)["traceparent"]?.hasSuffix("-0000000000000003-00") == true)
        span.attributes["a"] = "b"
        span.end()
        #expect(buffer.take().isEmpty)
        #expect(buffer.counts == SpanBuffer.Counts())
    }

    @Test(
        "samplers decide by parent and ratio",
        arguments: [
            (TraceSampler(ratio: 0), true, true), (TraceSampler(ratio: 1), false, false),
            (TraceSampler(ratio: 0), nil, false), (TraceSampler(ratio: 1), nil, true),
            (TraceSampler(ratio: 1, followsParent: false), false, true),
            (TraceSampler(ratio: 0, followsParent: false), true, false),
        ] as [(TraceSampler, Bool?, Bool)]
    )
    func samplers(sampler: TraceSampler, parent: Bool?, isSampled: Bool) {
        #expect(sampler.samples(traceLow: .max / 3, isParentSampled: parent) == isSampled)
    }

    @Test("a ratio records its share, and all who go by it record the same traces")
    func ratio() {
        var generator = SystemRandomNumberGenerator()
        let quarter = TraceSampler(ratio: 0.25)
        let ids = (0..<20_000).map { _ in generator.next() as UInt64 }
        let sampled = ids.filter { quarter.samples(traceLow: $0, isParentSampled: nil) }
        #expect(abs(sampled.count - 5000) < 400)
        let half = TraceSampler(ratio: 0.5)
        #expect(sampled.allSatisfy { half.samples(traceLow: $0, isParentSampled: nil) })
    }

    @Test("a span that has ended does not change, and ends once")
    func end() {
        let span = tracer().startSpan("a")
        span.attributes["a"] = 1
        span.end(at: Instant(nanosecondsSinceEpoch: 0))
        #expect(!span.isRecording)
        span.attributes["a"] = 2
        span.operationName = "b"
        span.end()
        let ended = buffer.take()
        #expect(ended.count == 1)
        #expect(ended.first?.name == "a")
        #expect(ended.first?.attributes.get("a") == .int64(1))
        // Its clock was set back meanwhile.
        #expect(ended.first.map { $0.end == $0.start } == true)
    }

    @Test("the document is what the protocol says")
    func document() throws {
        let tracer = tracer()
        let span = tracer.startSpan(
            "POST /a",
            context: context(tracer, ["traceparent": "\(parent)-01", "tracestate": "secret=1"]),
            ofKind: .server,
            at: Instant(nanosecondsSinceEpoch: 1_790_000_000_000_000_000)
        )
        span.attributes["text"] = "a/\"b\""
        span.attributes["number"] = 503
        span.attributes["flag"] = true
        span.attributes["share"] = 0.5
        span.attributes["list"] = ["x", "y"]
        span.addEvent(SpanEvent(name: "e", at: Instant(nanosecondsSinceEpoch: 7)))
        span.recordError(Leaky(), attributes: [:], at: Instant(nanosecondsSinceEpoch: 8))
        span.setStatus(SpanStatus(code: .error, message: "why"))
        span.end(at: Instant(nanosecondsSinceEpoch: 1_790_000_000_500_000_000))
        let resource = OTLPDocument.Resource(serviceName: "g", version: "1", instance: "i")
        let text = String(decoding: try OTLPDocument(resource, buffer.take()).encoded(), as: UTF8.self)
        #expect(
            text == """
                {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"g"}},\
                {"key":"service.version","value":{"stringValue":"1"}},{"key":"service.instance.id","value":{"stringValue":"i"}}]},\
                "scopeSpans":[{"scope":{"name":"neutrino-gateway","version":"1"},"spans":[{"attributes":[\
                {"key":"flag","value":{"boolValue":true}},\
                {"key":"list","value":{"arrayValue":{"values":[{"stringValue":"x"},{"stringValue":"y"}]}}},\
                {"key":"number","value":{"intValue":"503"}},{"key":"share","value":{"doubleValue":0.5}},\
                {"key":"text","value":{"stringValue":"a/\\"b\\""}}],"endTimeUnixNano":"1790000000500000000",\
                "events":[{"attributes":[],"name":"e","timeUnixNano":"7"},{"attributes":[{"key":"exception.type",\
                "value":{"stringValue":"Leaky"}}],"name":"exception","timeUnixNano":"8"}],\
                "kind":2,"name":"POST /a","parentSpanId":"b7ad6b7169203331","spanId":"0000000000000003",\
                "startTimeUnixNano":"1790000000000000000","status":{"code":2,"message":"why"},\
                "traceId":"0af7651916cd43dd8448eb211c80319c"}]}]}]}
                """
        )
    }

    private struct Leaky: Error, CustomStringConvertible {
        var description: String { "secret" }
    }
}
