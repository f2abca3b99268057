import NIOCore

/// A closed loop: each connection sends its next request when it has its answer. Shows how much a system can do at most.
package struct Saturation: Sendable {
    package var connections = 64
    package var seconds = 10.0
    /// Not counted, at the beginning.
    package var warmup = 1.0
    package var threads = 2

    package init() {}

    package func run(target: Target, mix: RequestMix) async throws -> Summary {
        let begin = NIODeadline.now() + .nanoseconds(Int64(warmup * 1e9))
        let end = begin + .nanoseconds(Int64(seconds * 1e9))
        let tallies = try await Workers.run(threads: threads) { loop, index in
            let worker = SaturationWorker(
                loop: loop,
                connector: Connector(target: target, loop: loop),
                connections: Workers.share(of: connections, index: index, of: threads),
                mix: mix,
                seed: UInt64(index),
                measured: begin..<end
            )
            return worker.run()
        }
        var total = Tally()
        for tally in tallies { total.add(tally) }
        return Summary(mode: "saturate", target: target, took: end - begin, tally: total)
    }
}

/// The connections of one event loop. Lives until the last of them has ended.
private final class SaturationWorker: ConnectionOwner {
    /// How long after the end an answer may still come.
    private static let patience = TimeAmount.seconds(5)

    private let loop: any EventLoop
    private let connector: Connector
    private let connections: Int
    private let mix: RequestMix
    private let measured: Range<NIODeadline>
    private let done: EventLoopPromise<Tally>
    private var generator: SplitMix64
    private var tally = Tally()
    private var left: Int
    private var isDone = false

    init(
        loop: any EventLoop,
        connector: Connector,
        connections: Int,
        mix: RequestMix,
        seed: UInt64,
        measured: Range<NIODeadline>
    ) {
        self.loop = loop
        self.connector = connector
        self.connections = connections
        self.mix = mix
        self.measured = measured
        done = loop.makePromise()
        generator = SplitMix64(seed: seed)
        left = connections
    }

    func run() -> EventLoopFuture<Tally> {
        for _ in 0..<connections { connector.open(for: self) }
        if connections == 0 { finish() }
        loop.assumeIsolated().scheduleTask(deadline: measured.upperBound + Self.patience) { self.finish() }
        return done.futureResult
    }

    func opened(_ connection: Connection) {
        next(on: connection)
    }

    func answered(_ head: ResponseHead, on connection: Connection) {
        let now = NIODeadline.now()
        if measured.contains(now) { tally.answer(head, after: now - connection.sent) }
        if now >= measured.upperBound {
            connection.close()
        } else if !connection.isClosing {
            next(on: connection)
        }
    }

    func closed(_ connection: Connection, failure: String?) {
        if connection.isBusy { tally.error(failure ?? "closed without an answer") }
        reopen(after: .zero)
    }

    func failedToOpen(_ problem: String) {
        tally.error(problem)
        reopen(after: .milliseconds(50))
    }

    private func next(on connection: Connection) {
        connection.send(mix.bytes(of: mix.pick(by: &generator)))
    }

    private func reopen(after delay: TimeAmount) {
        let next = NIODeadline.now() + delay
        guard next < measured.upperBound else {
            left -= 1
            if left == 0 { finish() }
            return
        }
        if delay == .zero {
            connector.open(for: self)
        } else {
            loop.assumeIsolated().scheduleTask(deadline: next) { self.connector.open(for: self) }
        }
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        for _ in 0..<left { tally.error("no answer \(Self.patience.nanoseconds / 1_000_000_000) s after the end") }
        done.succeed(tally)
    }
}
