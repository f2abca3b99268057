import NIOCore

/// Opens many connections, sends one request on each, and waits for every answer: how a system holds many at once, and how
/// punctually it lets them go.
package struct Holding: Sendable {
    package var count = 10_000
    /// Requests a second while they are sent, so that a burst's own queueing does not count as lateness.
    package var rate = 4_000.0
    /// When each answer is expected after its request, in seconds.
    package var expectAfter = 30.0
    /// Connects under way at a time.
    package var opening = 64

    package init() {}

    /// - Parameter onSent: Called once all requests are out, with how many; the time to look at the memory.
    package func run(
        target: Target,
        mix: RequestMix,
        onSent: @escaping @Sendable (Int) -> Void
    ) async throws -> Summary {
        let begin = NIODeadline.now()
        let counts = try await Workers.run(threads: 1) { loop, _ in
            let connector = Connector(target: target, loop: loop, readBytes: 2048)
            return HoldingWorker(loop: loop, connector: connector, plan: self, mix: mix, onSent: onSent).run()
        }
        guard let count = counts.first else { preconditionFailure("one worker was started") }
        return Summary(
            mode: "hold",
            target: target,
            took: .now() - begin,
            tally: count.tally,
            more: ["early": count.early, "late": count.late],
            counts: ["sent": count.sent]
        )
    }
}

private struct HoldingCount: Sendable {
    var tally = Tally()
    /// By how much answers came before, and after, they were expected.
    var early = LatencyHistogram()
    var late = LatencyHistogram()
    var sent = 0
}

private final class HoldingWorker: ConnectionOwner {
    private let loop: any EventLoop
    private let connector: Connector
    private let plan: Holding
    private let mix: RequestMix
    private let onSent: @Sendable (Int) -> Void
    private let done: EventLoopPromise<HoldingCount>
    private var generator = SplitMix64(seed: 1)
    private var count = HoldingCount()
    private var opened: [Connection] = []
    private var toOpen: Int
    private var unopened = 0
    private var finished = 0
    private var start = NIODeadline.now()
    private var isDone = false

    init(
        loop: any EventLoop,
        connector: Connector,
        plan: Holding,
        mix: RequestMix,
        onSent: @escaping @Sendable (Int) -> Void
    ) {
        self.loop = loop
        self.connector = connector
        self.plan = plan
        self.mix = mix
        self.onSent = onSent
        done = loop.makePromise()
        toOpen = plan.count
    }

    func run() -> EventLoopFuture<HoldingCount> {
        for _ in 0..<min(plan.opening, plan.count) { openNext() }
        let opening = Double(plan.count) / 500 + 5
        let patience = opening + Double(plan.count) / plan.rate + plan.expectAfter + 30
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(patience * 1e9))) { self.finish() }
        return done.futureResult
    }

    private func openNext() {
        guard toOpen > 0 else { return }
        toOpen -= 1
        connector.open(for: self)
    }

    func opened(_ connection: Connection) {
        opened.append(connection)
        openNext()
        sendIfAllOpen()
    }

    func failedToOpen(_ problem: String) {
        count.tally.error(problem)
        unopened += 1
        finished += 1
        openNext()
        sendIfAllOpen()
    }

    private func sendIfAllOpen() {
        guard opened.count + unopened == plan.count else { return }
        start = .now()
        sendDue()
    }

    private func sendDue() {
        while count.sent < opened.count {
            let due = start + .nanoseconds(Int64(Double(count.sent) / plan.rate * 1e9))
            guard due <= .now() else {
                loop.assumeIsolated().scheduleTask(deadline: due + .milliseconds(1)) { self.sendDue() }
                return
            }
            let connection = opened[count.sent]
            count.sent += 1
            if connection.isOpen { connection.send(mix.bytes(of: mix.pick(by: &generator))) }
        }
        onSent(count.sent)
        finishIfAllAnswered()
    }

    func answered(_ head: ResponseHead, on connection: Connection) {
        let latency = NIODeadline.now() - connection.sent
        let deviation = latency - .nanoseconds(Int64(plan.expectAfter * 1e9))
        count.tally.answer(head, after: latency)
        if deviation < .zero {
            count.early.record(.nanoseconds(-deviation.nanoseconds))
        } else {
            count.late.record(deviation)
        }
        finished += 1
        if !connection.isClosing { connection.close() }
        finishIfAllAnswered()
    }

    func closed(_ connection: Connection, failure: String?) {
        guard !connection.isClosing else { return }
        count.tally.error(failure ?? "closed without an answer")
        finished += 1
        finishIfAllAnswered()
    }

    private func finishIfAllAnswered() {
        if finished == plan.count { finish() }
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        for _ in finished..<max(plan.count, finished) { count.tally.error("no answer") }
        done.succeed(count)
    }
}
