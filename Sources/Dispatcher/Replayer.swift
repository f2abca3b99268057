package import Core
import NIOCore
package import Queue

/// Makes new requests of rows: through the queue like any other, behind all live traffic, with nobody waiting for the answer.
package struct Replayer: Sendable {
    private let dispatcher: RequestDispatcher

    package init(dispatcher: RequestDispatcher) {
        self.dispatcher = dispatcher
    }

    /// Queues a request again, as a new one that names the old.
    /// - Parameters:
    ///   - source: What its row kept.
    ///   - route: The route that it has now.
    ///   - supplied: Fields to put in place of the row's of the same names: credentials, which rows do not keep.
    /// - Returns: The new request's id, once its row is committed.
    /// - Throws: ``ReplayError`` where the queue is full, draining or cannot write.
    package func replay(
        _ source: ReplaySource,
        route: Route,
        supplied: [(name: String, value: String)]
    ) async throws -> RequestID {
        var fields = source.fields
        for (name, value) in supplied {
            let given = Array(name.utf8)
            fields.removeAll { line, _ in given.withUnsafeBytes { line.equalsIgnoringCase($0) } }
            fields.append(name, value)
        }
        let sink = DiscardedAnswer()
        let request = request(source, route: route, fields: fields, replayOf: source.id, sink: sink)
        return try await withCheckedThrowingContinuation { continuation in
            dispatcher.eventLoop.execute {
                sink.whenRecorded(continuation)
                sink.source = dispatcher.submit(request)
            }
        }
    }

    /// Takes up a replay that waited when the gateway last ended: its row exists already.
    package func resume(_ recovered: RecoveredReplay, route: Route) {
        let source = recovered.source
        let sink = DiscardedAnswer()
        let request = request(source, route: route, fields: source.fields, replayOf: source.replayOf, sink: sink)
        request.stamp(recovered.stamp)
        dispatcher.eventLoop.execute {
            sink.source = dispatcher.submit(request)
        }
    }

    private func request(
        _ source: ReplaySource,
        route: Route,
        fields: HeaderFields,
        replayOf: RequestID?,
        sink: DiscardedAnswer
    ) -> QueuedRequest {
        QueuedRequest(
            eventLoop: dispatcher.eventLoop,
            route: route,
            method: source.method,
            target: source.target,
            fields: fields,
            body: source.body,
            needs: source.method == .options ? .zero : route.needs,
            priority: .replay,
            clientAddress: source.clientAddress,
            arrivedAt: .now(),
            holdLimit: source.holdLimit,
            hasIdempotencyKey: fields.contains("Idempotency-Key"),
            replayOf: replayOf,
            sink: sink
        )
    }
}

/// Why a request was not queued again.
package struct ReplayError: Error, Sendable, CustomStringConvertible {
    package var reason: EndReason
    package var description: String
}

/// Takes an answer that nobody waits for: the row keeps what is to be kept of it. Used on one event loop.
final class DiscardedAnswer: AnswerSink, @unchecked Sendable {
    // `@unchecked`: made by a task, then used on the request's event loop only, which its protocol demands.
    var source: (any AnswerSource)?
    private var continuation: CheckedContinuation<RequestID, any Error>?

    func whenRecorded(_ continuation: CheckedContinuation<RequestID, any Error>) {
        self.continuation = continuation
    }

    func recorded(_ id: RequestID) {
        continuation?.resume(returning: id)
        continuation = nil
    }

    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming) {}

    func body(_ bytes: ByteBuffer) {}

    func end(trailers: HeaderFields?) {
        // In delivering, the exchange waits for this; it never tells the sink from within `delivered()`.
        source?.delivered()
        source = nil
    }

    func abort() { source = nil }

    func refuse(_ refusal: Refusal) {
        continuation?.resume(throwing: ReplayError(reason: refusal.reason, description: refusal.detail))
        continuation = nil
        source = nil
    }
}
