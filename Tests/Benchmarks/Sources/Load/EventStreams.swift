import NIOCore

/// Reads server-sent events on some connections and compares each with the time stamp that its sender put in, as `neutrino-pod` does:
/// `"sent_uptime_ns":` and the machine's monotonic clock, which both processes share.
package struct EventStreams: Sendable {
    package var path: String
    package var connections = 1
    /// Events that each stream should have.
    package var events = 100
    package var seconds = 60.0

    package init(path: String) {
        self.path = path
    }

    package func run(target: Target, mix: RequestMix) async throws -> Summary {
        let begin = NIODeadline.now()
        let counts = try await Workers.run(threads: 1) { loop, _ in
            let connector = Connector(target: target, loop: loop, bodyUse: .stream)
            return EventStreamWorker(loop: loop, connector: connector, plan: self, mix: mix).run()
        }
        guard let count = counts.first else { preconditionFailure("one worker was started") }
        return Summary(
            mode: "sse",
            target: target,
            took: .now() - begin,
            tally: count.tally,
            more: ["event_delay": count.delays],
            counts: [
                "events": count.events, "expected_events": connections * events, "without_stamp": count.withoutStamp,
                "over_10ms": count.over10ms,
            ]
        )
    }
}

private struct EventStreamCount: Sendable {
    var tally = Tally()
    var delays = LatencyHistogram()
    var events = 0
    var withoutStamp = 0
    var over10ms = 0
}

private final class EventStreamWorker: ConnectionOwner {
    private let loop: any EventLoop
    private let connector: Connector
    private let plan: EventStreams
    private let mix: RequestMix
    private let done: EventLoopPromise<EventStreamCount>
    private var count = EventStreamCount()
    private var pending: [ObjectIdentifier: ByteBuffer] = [:]
    private var left: Int
    private var isDone = false

    init(loop: any EventLoop, connector: Connector, plan: EventStreams, mix: RequestMix) {
        self.loop = loop
        self.connector = connector
        self.plan = plan
        self.mix = mix
        done = loop.makePromise()
        left = plan.connections
    }

    func run() -> EventLoopFuture<EventStreamCount> {
        for _ in 0..<plan.connections { connector.open(for: self) }
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(plan.seconds * 1e9))) {
            guard !self.isDone else { return }
            self.count.tally.error("took too long")
            self.finish()
        }
        return done.futureResult
    }

    func opened(_ connection: Connection) {
        connection.send(mix.bytes(of: 0))
    }

    func received(_ bytes: ByteBuffer, on connection: Connection) {
        let now = NIODeadline.now()
        var buffer = pending.removeValue(forKey: ObjectIdentifier(connection)) ?? ByteBuffer()
        buffer.writeImmutableBuffer(bytes)
        while let event = buffer.readEvent() {
            count.events += 1
            guard let sent = event.sentStamp else {
                count.withoutStamp += 1
                continue
            }
            let delay = now - sent
            count.delays.record(delay)
            if delay > .milliseconds(10) { count.over10ms += 1 }
        }
        if buffer.readableBytes > 0 { pending[ObjectIdentifier(connection)] = buffer }
    }

    func answered(_ head: ResponseHead, on connection: Connection) {
        count.tally.answer(head, after: .now() - connection.sent)
        connection.close()
    }

    func failedToOpen(_ problem: String) {
        count.tally.error(problem)
        streamEnded()
    }

    func closed(_ connection: Connection, failure: String?) {
        pending.removeValue(forKey: ObjectIdentifier(connection))
        if connection.isBusy { count.tally.error(failure ?? "closed before the end") }
        streamEnded()
    }

    private func streamEnded() {
        left -= 1
        if left == 0 { finish() }
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        done.succeed(count)
    }
}

extension ByteBuffer {
    /// Takes the next event with data, without its empty line; nil where none is whole. Comments are passed over.
    fileprivate mutating func readEvent() -> String? {
        while true {
            let view = readableBytesView
            guard
                let end = view.indices.dropLast().first(where: {
                    view[$0] == UInt8(ascii: "\n") && view[$0 + 1] == UInt8(ascii: "\n")
                }),
                let text = readString(length: end - readerIndex)
            else { return nil }
            moveReaderIndex(forwardBy: 2)
            if text.hasPrefix("data:") || text.contains("\ndata:") { return text }
        }
    }
}

extension String {
    /// When the event was sent, by its own account.
    fileprivate var sentStamp: NIODeadline? {
        guard let key = firstRange(of: "\"sent_uptime_ns\":") else { return nil }
        return UInt64(self[key.upperBound...].drop { $0 == " " }.prefix { $0.isNumber }).map { .uptimeNanoseconds($0) }
    }
}
