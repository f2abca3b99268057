package import Logging
import ServiceLifecycle

/// Sends spans to a collector, a batch at a time: each second what there is, and at once when a batch is full.
///
/// A batch that is not taken is not sent again: while a collector is slow or gone, the buffer in front of this fills, and spans are
/// dropped and counted there. At a shutdown what is left is sent, for ``lastTimeout`` at most.
package struct SpanExporter: Service {
    /// Posts a document (OTLP/HTTP, JSON) to the collector, and returns the status of its answer.
    package typealias Send = @Sendable (_ document: [UInt8], _ timeout: Duration) async throws -> Int

    /// For one batch.
    package static let timeout = Duration.seconds(10)
    static let lastTimeout = Duration.seconds(2)

    private let buffer: SpanBuffer
    private let resource: OTLPDocument.Resource
    private let send: Send
    private let clock: any Clock<Duration>
    private let health: ExportHealth

    /// - Parameters:
    ///   - resource: Whose spans they are.
    ///   - send: Reaches the collector; ends by itself within the time that it is given.
    ///   - clock: Times the pauses between two batches.
    package init(
        buffer: SpanBuffer,
        resource: OTLPDocument.Resource,
        clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger,
        send: @escaping Send
    ) {
        self.buffer = buffer
        self.resource = resource
        self.clock = clock
        self.send = send
        health = ExportHealth(logger: logger)
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    // What was signalled before a shutdown is left to the last turn below: in a task that is cancelled nothing is sent.
                    for await _ in buffer.full where !Task.isCancelled { await tick() }
                }
                group.addTask {
                    while (try? await clock.sleep(for: .seconds(1))) != nil { await tick() }
                }
                await group.waitForAll()
            }
        }
        await tick(timeout: Self.lastTimeout)
    }

    /// Sends what there is now, until the collector does not take a batch.
    package func tick(timeout: Duration = Self.timeout) async {
        var isTaken = true
        while isTaken, case let spans = buffer.take(), !spans.isEmpty {
            isTaken = await export(spans, timeout)
        }
    }

    private func export(_ spans: [SpanRecord], _ timeout: Duration) async -> Bool {
        do {
            let status = try await send(OTLPDocument(resource, spans).encoded(), timeout)
            guard (200..<300).contains(status) else { throw ExportProblem(status: status) }
            buffer.count { $0.exported += spans.count }
            health.succeeded()
            return true
        } catch {
            buffer.count { $0.failed += spans.count }
            if !Task.isCancelled { health.failed(error) }
            return false
        }
    }
}

private struct ExportProblem: Error, CustomStringConvertible {
    var status: Int
    var description: String { "it answered with status \(status)" }
}
