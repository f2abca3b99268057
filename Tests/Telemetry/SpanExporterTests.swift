import Foundation
import Logging
import NIOConcurrencyHelpers
import Testing
import Tracing

@testable import Telemetry

@Suite("Sending spans")
struct SpanExporterTests {
    /// A collector that remembers what it was sent.
    private final class Collector: Sendable {
        let batches = NIOLockedValueBox<[Int]>([])
        let timeouts = NIOLockedValueBox<[Duration]>([])
        let status = NIOLockedValueBox(200)

        var send: SpanExporter.Send {
            { [self] document, timeout in
                let text = String(decoding: document, as: UTF8.self)
                batches.withLockedValue { $0.append(text.components(separatedBy: "\"spanId\"").count - 1) }
                timeouts.withLockedValue { $0.append(timeout) }
                return status.withLockedValue { $0 }
            }
        }
    }

    private func end(_ count: Int, _ buffer: SpanBuffer) {
        let tracer = OTLPTracer(sampler: TraceSampler(), buffer: buffer)
        for _ in 0..<count { tracer.startSpan("a").end() }
    }

    private func exporter(
        _ buffer: SpanBuffer,
        _ messages: NIOLockedValueBox<[String]> = NIOLockedValueBox([]),
        _ send: @escaping SpanExporter.Send
    ) -> SpanExporter {
        SpanExporter(
            buffer: buffer,
            resource: OTLPDocument.Resource(serviceName: "g", version: "1", instance: "i"),
            logger: Logger(label: "test") { _ in Remembering(messages: messages) },
            send: send
        )
    }

    @Test("what waits is sent in batches, and counted")
    func batches() async {
        let buffer = SpanBuffer(capacity: 100, batchSize: 10)
        let collector = Collector()
        end(25, buffer)
        await exporter(buffer, .init([]), collector.send).tick()
        #expect(collector.batches.withLockedValue { $0 } == [10, 10, 5])
        #expect(buffer.counts == SpanBuffer.Counts(exported: 25, dropped: 0, failed: 0))
    }

    @Test("a collector that refuses costs a batch at a time, and is told of once")
    func refusal() async {
        let buffer = SpanBuffer(capacity: 100, batchSize: 10)
        let collector = Collector()
        let messages = NIOLockedValueBox<[String]>([])
        let exporter = exporter(buffer, messages, collector.send)
        collector.status.withLockedValue { $0 = 503 }
        end(25, buffer)
        await exporter.tick()
        await exporter.tick()
        #expect(buffer.counts == SpanBuffer.Counts(exported: 0, dropped: 0, failed: 20))
        collector.status.withLockedValue { $0 = 200 }
        await exporter.tick()
        #expect(buffer.counts == SpanBuffer.Counts(exported: 5, dropped: 0, failed: 20))
        #expect(
            messages.withLockedValue { $0 } == [
                "The trace collector does not take spans; they are dropped",
                "The trace collector takes spans again",
            ]
        )
    }

    @Test(
        "a collector that never answers costs nothing but its spans, and a shutdown waits for it no longer than for the last batch"
    )
    func silence() async throws {
        let buffer = SpanBuffer(capacity: 20, batchSize: 10)
        let began = AsyncStream.makeStream(of: Duration.self)
        let exporter = exporter(buffer) { _, timeout in
            began.continuation.yield(timeout)
            // As a call that is never answered: it ends when its time is up, which here is when the test says so.
            try await Task.sleep(for: .seconds(timeout == SpanExporter.timeout ? 3600 : 0))
            throw CancellationError()
        }
        var calls = began.stream.makeAsyncIterator()
        let task = Task { try await exporter.run() }
        end(10, buffer)
        #expect(await calls.next() == SpanExporter.timeout)
        // It hangs; the buffer fills, and then whoever ends a span is done with it at once.
        end(50, buffer)
        #expect(buffer.counts.dropped == 30)
        task.cancel()
        #expect(await calls.next() == SpanExporter.lastTimeout)
        try await task.value
    }

    @Test("what waits at a shutdown is still sent")
    func shutdown() async throws {
        let buffer = SpanBuffer()
        let collector = Collector()
        end(3, buffer)
        let exporter = exporter(buffer, .init([]), collector.send)
        let task = Task { try await exporter.run() }
        task.cancel()
        try await task.value
        #expect(collector.batches.withLockedValue { $0.reduce(0, +) } == 3)
    }

    @Test("what became of spans is told as metrics")
    func metrics() async {
        let buffer = SpanBuffer(capacity: 1, batchSize: 1)
        end(3, buffer)
        let families = await SpanCollector(buffer: buffer).collect()
        #expect(families.map(\.name).allSatisfy { $0.hasPrefix("neutrino_spans_") })
        #expect(families[1].series.map(\.value) == [.number(2)])
    }
}

/// Remembers what was logged.
private struct Remembering: LogHandler {
    let messages: NIOLockedValueBox<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { messages.withLockedValue { $0.append("\(event.message)") } }
}
