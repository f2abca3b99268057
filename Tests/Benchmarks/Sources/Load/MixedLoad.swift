import NIOCore
import NIOPosix

/// A number of requests from a number of clients, each with an id of its own, and a line for each answer: what is compared one for
/// one with the gateway's rows and the pods' own counts.
package struct MixedLoad: Sendable {
    package var requests = 3_000
    package var clients = 64
    /// No request is begun after this.
    package var seconds = 60.0
    /// What ids begin with, so that several runs against one database are told apart.
    package var prefix = "load"
    package var seed: UInt64 = 1

    package init() {}

    /// - Parameter record: Called with each record, in the order of the answers, on one thread.
    package func run(
        target: Target,
        mix: RequestMix,
        record: @escaping @Sendable (AnswerRecord) -> Void
    ) async throws -> Summary {
        let begin = NIODeadline.now()
        let tallies = try await Workers.run(threads: 1) { loop, _ in
            let connector = Connector(target: target, loop: loop, bodyUse: .keep)
            return MixedWorker(loop: loop, connector: connector, plan: self, mix: mix, record: record).run()
        }
        guard let tally = tallies.first else { preconditionFailure("one worker was started") }
        return Summary(mode: "mixed", target: target, took: .now() - begin, tally: tally)
    }
}

/// What became of one request, as its client saw it.
package struct AnswerRecord: Codable, Sendable {
    package var id: String
    package var method: String
    package var path: String
    /// Seconds since 1970.
    package var sent: Double
    /// To the last byte of the answer, or to the failure.
    package var milliseconds: Double
    package var status: Int?
    /// `Neutrino-Request-Id`.
    package var requestID: String?
    /// `Neutrino-Reason`.
    package var reason: String?
    /// `Server-Timing`.
    package var serverTiming: String?
    /// The answer's body, where it is text; at most 64 KiB.
    package var body: String?
    /// Why there is no answer.
    package var error: String?
}

private final class MixedWorker: ConnectionOwner {
    private static let patience = TimeAmount.seconds(60)
    /// Between a failure and the next connect.
    private static let pause = TimeAmount.milliseconds(20)

    private struct Outstanding {
        var id: String
        var kind: Int
        var sent: Double
    }

    private let loop: any EventLoop
    private let connector: Connector
    private let plan: MixedLoad
    private let mix: RequestMix
    private let record: @Sendable (AnswerRecord) -> Void
    private let done: EventLoopPromise<Tally>
    private let end: NIODeadline
    private var generator: SplitMix64
    private var tally = Tally()
    private var outstanding: [Int: Outstanding] = [:]
    private var begun = 0
    private var clients: Int
    private var isDone = false

    init(
        loop: any EventLoop,
        connector: Connector,
        plan: MixedLoad,
        mix: RequestMix,
        record: @escaping @Sendable (AnswerRecord) -> Void
    ) {
        self.loop = loop
        self.connector = connector
        self.plan = plan
        self.mix = mix
        self.record = record
        done = loop.makePromise()
        end = .now() + .nanoseconds(Int64(plan.seconds * 1e9))
        generator = SplitMix64(seed: plan.seed)
        clients = plan.clients
    }

    func run() -> EventLoopFuture<Tally> {
        for _ in 0..<plan.clients { connector.open(for: self) }
        loop.assumeIsolated().scheduleTask(deadline: end + Self.patience) { self.finish() }
        return done.futureResult
    }

    private var hasMore: Bool { begun < plan.requests && NIODeadline.now() < end }

    func opened(_ connection: Connection) {
        sendNext(on: connection)
    }

    func failedToOpen(_ problem: String) {
        tally.error(problem)
        openAgain()
    }

    func answered(_ head: ResponseHead, on connection: Connection) {
        let latency = NIODeadline.now() - connection.sent
        tally.answer(head, after: latency)
        write(connection.tag, latency: latency) { record in
            record.status = head.status
            record.requestID = head.field("neutrino-request-id")
            record.reason = head.field("neutrino-reason")
            record.serverTiming = head.field("server-timing")
            record.body = connection.body.readableBytes > 0 ? String(buffer: connection.body) : nil
        }
        if !connection.isClosing { sendNext(on: connection) }
    }

    func closed(_ connection: Connection, failure: String?) {
        if connection.isBusy {
            let failure = failure ?? "closed without an answer"
            tally.error(failure)
            write(connection.tag, latency: .now() - connection.sent) { $0.error = failure }
        }
        openAgain()
    }

    private func sendNext(on connection: Connection) {
        guard hasMore else { return connection.close() }
        begun += 1
        let request = Outstanding(id: "\(plan.prefix)-\(begun)", kind: mix.pick(by: &generator), sent: UnixTime.now)
        outstanding[begun] = request
        connection.send(mix.bytes(of: request.kind, id: request.id), tag: begun)
    }

    private func openAgain() {
        guard hasMore else {
            clients -= 1
            if clients == 0 { finish() }
            return
        }
        loop.assumeIsolated().scheduleTask(in: Self.pause) { self.connector.open(for: self) }
    }

    private func write(_ number: Int, latency: TimeAmount, fill: (inout AnswerRecord) -> Void) {
        guard let request = outstanding.removeValue(forKey: number) else { return }
        let kind = mix.kinds[request.kind]
        var record = AnswerRecord(
            id: request.id,
            method: kind.method,
            path: kind.path,
            sent: request.sent,
            milliseconds: Double(latency.nanoseconds) / 1e6
        )
        fill(&record)
        self.record(record)
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        for number in outstanding.keys.sorted() {
            tally.error("no answer")
            write(number, latency: Self.patience) { $0.error = "no answer" }
        }
        done.succeed(tally)
    }
}
