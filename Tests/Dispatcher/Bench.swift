import Core
import Dispatcher
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Queue
import Tracing

/// A dispatcher between small working neighbours: a journal in memory, a transport that follows a script, one pod.
struct Bench {
    let group: MultiThreadedEventLoopGroup
    let journal = MemoryJournal()
    let transport: ScriptedTransport
    let polling = CountingPolling()
    let dispatcher: RequestDispatcher
    let route: Route
    let pod = Pod(key: 0, description: PodDescription(id: "pod", host: "127.0.0.1", port: 1))

    init(
        loops: Int = 1,
        holdTimeout: Duration = .seconds(60),
        busyAnswerTime: TimeAmount = .seconds(60),
        breaker: BreakerConfiguration = BreakerConfiguration(),
        script: [ScriptedTransport.Step] = [],
        tracer: (any Tracer)? = nil
    ) async throws {
        var exchanges = ExchangeConfiguration()
        exchanges.busyAnswerTime = busyAnswerTime
        var dispatch = DispatchConfiguration()
        dispatch.breaker = breaker
        group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        transport = ScriptedTransport(journal: journal, script: script)
        route = Route(
            key: 0,
            id: Route.defaultID,
            method: nil,
            template: nil,
            needs: ResourceVector(cpus: 1000, gpus: 0, memory: 0),
            holdTimeout: Setting(holdTimeout, from: .default),
            requestTimeout: Setting(.seconds(60), from: .default)
        )
        dispatcher = RequestDispatcher(
            eventLoop: group.next(),
            configuration: dispatch,
            exchangeConfiguration: exchanges,
            routes: [route],
            journal: journal,
            transport: transport,
            polling: polling,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            tracer: tracer
        )
        dispatcher.podsChanged([pod])
    }

    /// A poll that finds eight CPUs free.
    func sample() {
        let eight = ResourceVector(cpus: 8000, gpus: 0, memory: 8000)
        let now = NIODeadline.now()
        dispatcher.sampled(pod, CapacityReport(available: eight, total: eight), sentAt: now, receivedAt: now)
    }

    /// - Parameter stamp: Of a replay whose row is from before a restart.
    func submit(
        method: RequestMethod = .post,
        stamp: QueuedRequest.Stamp? = nil,
        fields: HeaderFields = HeaderFields(),
        onLoop number: Int = 0
    ) async throws -> TestSink {
        let loops = Array(group.makeIterator())
        let loop = loops[number % loops.count]
        let sink = TestSink(eventLoop: loop)
        let (dispatcher, route) = (dispatcher, route)
        return try await loop.submit {
            let request = QueuedRequest(
                eventLoop: loop,
                route: route,
                method: method,
                target: ByteBuffer(string: "/"),
                fields: fields,
                body: .none,
                needs: route.needs,
                clientAddress: "127.0.0.1",
                arrivedAt: .now(),
                sink: sink
            )
            if let stamp { request.stamp(stamp) }
            sink.source = dispatcher.submit(request)
            return sink
        }.get()
    }

    func end() async throws {
        try await group.shutdownGracefully()
    }
}

/// Remembers what became of a request's answer.
final class TestSink: AnswerSink, @unchecked Sendable {
    // `@unchecked`: used on its loop only, but for what the box holds.
    enum End: Equatable, Sendable {
        case answered(status: Int, body: String)
        case aborted(status: Int, body: String)
        case refused(EndReason, retryAfter: Int?)
        case podRefused(status: Int, body: String)

        var reason: EndReason? {
            if case .refused(let reason, _) = self { reason } else { nil }
        }
    }

    private let eventLoop: any EventLoop
    private let promise: EventLoopPromise<End>
    private let seen = NIOLockedValueBox<End?>(nil)
    private let refusal = NIOLockedValueBox<Refusal?>(nil)
    var source: (any AnswerSource)?
    private var status = 0
    private var text = ""

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        promise = eventLoop.makePromise()
    }

    var outcome: End {
        get async throws { try await promise.futureResult.get() }
    }

    var outcomeNow: End? { seen.withLockedValue { $0 } }
    /// Our own answer, once there is one.
    var refusedWith: Refusal? { refusal.withLockedValue { $0 } }

    /// The client goes away.
    func leave() {
        eventLoop.execute {
            self.source?.clientLeft()
            self.promise.fail(ChannelError.eof)
        }
    }

    /// The gateway ends, and cuts the connection.
    func cut() {
        eventLoop.execute {
            self.source?.gatewayEnds()
            self.promise.fail(ChannelError.eof)
        }
    }

    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming) { status = head.status }
    func body(_ bytes: ByteBuffer) { text += String(buffer: bytes) }
    func end(trailers: HeaderFields?) {
        source?.delivered()
        finish(.answered(status: status, body: text))
    }
    func abort() { finish(.aborted(status: status, body: text)) }
    func refuse(_ refusal: Refusal) {
        self.refusal.withLockedValue { $0 = refusal }
        if let answer = refusal.podAnswer {
            finish(.podRefused(status: answer.head.status, body: String(buffer: answer.body)))
        } else {
            finish(.refused(refusal.reason, retryAfter: refusal.retryAfter))
        }
    }

    private func finish(_ end: End) {
        let isFirst = seen.withLockedValue { seen in
            defer { seen = seen ?? end }
            return seen == nil
        }
        precondition(isFirst, "an answer ended twice")
        promise.succeed(end)
    }
}

/// Counts the polls that are asked for.
struct CountingPolling: PodPolling {
    let counter = Counter()
    func pollNow(_ pod: Pod) { counter.increment() }
    func setInterval(_ interval: TimeAmount?, for pod: Pod) {}
    func polled(_ count: Int) async throws { try await counter.reaches(count) }
}

/// A number that can be waited for.
final class Counter: Sendable {
    private struct State {
        var value = 0
        var waiters: [(at: Int, EventLoopPromise<Void>)] = []
    }

    private let state = NIOLockedValueBox(State())

    var value: Int { state.withLockedValue { $0.value } }

    func increment() {
        let due = state.withLockedValue { state in
            state.value += 1
            let value = state.value
            let due = state.waiters.filter { $0.at <= value }
            state.waiters.removeAll { $0.at <= value }
            return due.map(\.1)
        }
        for promise in due { promise.succeed() }
    }

    func reaches(_ count: Int) async throws {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
        let isDue = state.withLockedValue { state in
            if state.value >= count { return true }
            state.waiters.append((count, promise))
            return false
        }
        if isDue { promise.succeed() }
        try await promise.futureResult.get()
    }
}
