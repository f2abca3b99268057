import NIOCore

/// An open loop: requests are sent at a fixed rate whether or not answers come, and each latency counts from when its request was
/// *meant* to be sent, so a system that stalls is not spared the requests it held up (no coordinated omission).
package struct OpenLoop: Sendable {
    package var rate = 1_000.0
    package var seconds = 60.0
    /// Not counted, at the beginning.
    package var warmup = 1.0
    /// Bound on its own pool; a request that finds none free waits, and its latency with it.
    package var maxConnections = 512
    package var seed: UInt64 = 1

    package init() {}

    package func run(target: Target, mix: RequestMix) async throws -> Summary {
        let counts = try await Workers.run(threads: 1) { loop, _ in
            let worker = OpenLoopWorker(
                loop: loop,
                connector: Connector(target: target, loop: loop),
                plan: self,
                mix: mix
            )
            return worker.run()
        }
        guard let count = counts.first else { preconditionFailure("one worker was started") }
        return Summary(
            mode: "open",
            target: target,
            took: .nanoseconds(Int64(seconds * 1e9)),
            tally: count.tally,
            more: ["service": count.service, "send_delay": count.sendDelay],
            counts: ["connections_opened": count.opened]
        )
    }
}

private struct OpenLoopCount: Sendable {
    var tally = Tally()
    /// From when a request was really sent.
    var service = LatencyHistogram()
    /// Between the two: how well the generator keeps its own time.
    var sendDelay = LatencyHistogram()
    /// Connections opened in all.
    var opened = 0
}

private final class OpenLoopWorker: ConnectionOwner {
    private static let patience = TimeAmount.seconds(10)

    private let loop: any EventLoop
    private let connector: Connector
    private let plan: OpenLoop
    private let mix: RequestMix
    private let done: EventLoopPromise<OpenLoopCount>
    private let total: Int
    /// How many of the first ones only warm up.
    private let unmeasured: Int
    private var generator: SplitMix64
    private var start = NIODeadline.now()
    private var count = OpenLoopCount()
    private var idle: [Connection] = []
    private var opening = 0
    /// Open ones, idle or not, and those being opened.
    private var connections = 0
    /// Numbers of requests that are due and have no connection yet, in order, from `firstWaiting` on.
    private var waiting: [Int] = []
    private var firstWaiting = 0
    private var next = 0
    private var finished = 0
    private var isDone = false

    init(loop: any EventLoop, connector: Connector, plan: OpenLoop, mix: RequestMix) {
        self.loop = loop
        self.connector = connector
        self.plan = plan
        self.mix = mix
        done = loop.makePromise()
        generator = SplitMix64(seed: plan.seed)
        unmeasured = Int(plan.warmup * plan.rate)
        total = unmeasured + Int(plan.seconds * plan.rate)
    }

    func run() -> EventLoopFuture<OpenLoopCount> {
        start = .now() + .milliseconds(10)
        loop.assumeIsolated().scheduleTask(deadline: due(0)) { self.sendDue() }
        loop.assumeIsolated().scheduleTask(deadline: due(total) + Self.patience) { self.finish() }
        return done.futureResult
    }

    private func due(_ number: Int) -> NIODeadline {
        start + .nanoseconds(Int64(Double(number) / plan.rate * 1e9))
    }

    private func sendDue() {
        while next < total, due(next) <= .now() {
            waiting.append(next)
            next += 1
            sendWaiting()
        }
        guard next < total else { return }
        loop.assumeIsolated().scheduleTask(deadline: due(next)) { self.sendDue() }
    }

    private func sendWaiting() {
        while firstWaiting < waiting.count, let connection = idle.popLast() {
            let number = waiting[firstWaiting]
            firstWaiting += 1
            connection.send(mix.bytes(of: mix.pick(by: &generator)), tag: number, intended: due(number))
        }
        if firstWaiting == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            firstWaiting = 0
        }
        let lacking = waiting.count - firstWaiting
        while opening < lacking, connections < plan.maxConnections {
            opening += 1
            connections += 1
            connector.open(for: self)
        }
    }

    func opened(_ connection: Connection) {
        opening -= 1
        count.opened += 1
        idle.append(connection)
        sendWaiting()
    }

    func failedToOpen(_ problem: String) {
        opening -= 1
        connections -= 1
        // The oldest that waits pays for it, or all would wait for ever on a target that is gone.
        guard firstWaiting < waiting.count else { return }
        firstWaiting += 1
        count.tally.error(problem)
        requestFinished()
    }

    func answered(_ head: ResponseHead, on connection: Connection) {
        let now = NIODeadline.now()
        if connection.tag >= unmeasured {
            count.tally.answer(head, after: now - connection.intended)
            count.service.record(now - connection.sent)
            count.sendDelay.record(connection.sent - connection.intended)
        }
        if !connection.isClosing { idle.append(connection) }
        requestFinished()
        if !isDone { sendWaiting() }
    }

    func closed(_ connection: Connection, failure: String?) {
        connections -= 1
        if connection.isBusy {
            count.tally.error(failure ?? "closed without an answer")
            requestFinished()
        } else {
            idle.removeAll { $0 === connection }
        }
        if !isDone { sendWaiting() }
    }

    private func requestFinished() {
        finished += 1
        if finished == total { finish() }
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        for _ in finished..<max(total, finished) { count.tally.error("no answer") }
        for connection in idle { connection.close() }
        done.succeed(count)
    }
}
