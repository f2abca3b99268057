import NIOConcurrencyHelpers

/// Spans that have ended and wait to be sent: bounded, so that a collector which does not keep up costs spans and nothing else.
package final class SpanBuffer: Sendable {
    /// What became of spans since the start.
    package struct Counts: Sendable, Equatable {
        package var exported = 0
        /// Came when the buffer was full.
        package var dropped = 0
        /// Were in a batch that the collector did not take.
        package var failed = 0
    }

    private struct State {
        var waiting: [SpanRecord] = []
        var counts = Counts()
    }

    let capacity: Int
    /// As many are worth a call of their own.
    let batchSize: Int
    private let state = NIOLockedValueBox(State())
    /// Yields when a batch is full.
    let full: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    package init(capacity: Int = 8192, batchSize: Int = 512) {
        precondition(batchSize > 0 && capacity >= batchSize, "a batch fits the buffer")
        self.capacity = capacity
        self.batchSize = batchSize
        (full, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package var counts: Counts { state.withLockedValue { $0.counts } }

    func add(_ span: SpanRecord) {
        let isFull = state.withLockedValue { state in
            guard state.waiting.count < capacity else {
                state.counts.dropped += 1
                return false
            }
            state.waiting.append(span)
            return state.waiting.count % batchSize == 0
        }
        if isFull { signal.yield() }
    }

    /// The oldest that wait, at most a batch.
    func take() -> [SpanRecord] {
        state.withLockedValue { state in
            let taken = Array(state.waiting.prefix(batchSize))
            state.waiting.removeFirst(taken.count)
            return taken
        }
    }

    func count(_ change: (inout Counts) -> Void) { state.withLockedValue { change(&$0.counts) } }
}
