package import Core
import NIOCore
package import Queue

/// Makes new requests of rows: through the queue like any other, behind all live traffic, with nobody waiting for the answer.
package struct Replayer: Sendable {
    private let dispatcher: RequestDispatcher
    private let routing: any ReplayRouting
    private let budget: ByteBudget

    /// What replays may use up of `MAX_QUEUE_BYTES`: the rest is for clients.
    private static let budgetShare = 0.5

    /// - Parameter budget: Bounds the bodies in memory.
    package init(dispatcher: RequestDispatcher, routing: any ReplayRouting, budget: ByteBudget) {
        self.dispatcher = dispatcher
        self.routing = routing
        self.budget = budget
    }

    /// Queues a request again, as a new one that names the old.
    /// - Parameters:
    ///   - source: What its row kept.
    ///   - edits: What of it is changed. Another method or path goes the way that it would from a client.
    /// - Returns: The new request's id, once its row is committed.
    /// - Throws: ``ReplayRefusal`` where its path is reserved; ``ReplayError`` where the queue is full, draining or cannot write.
    package func replay(_ source: ReplaySource, edits: ReplayEdits = .none) async throws -> RequestID {
        let route = try route(of: source, edits)
        return try await submit([Order(source: source, route: route)], edits, job: nil)[0].get()
    }

    /// Queues several for a job, in their order, and returns when each has its row or was refused.
    ///
    /// One that failed may have its row all the same (it can be refused while its commit is under way): the database knows.
    func replay(
        _ orders: [Order],
        edits: ReplayEdits,
        job: ReplayJobID
    ) async -> [Result<RequestID, ReplayError>] {
        orders.isEmpty ? [] : await submit(orders, edits, job: job)
    }

    /// Takes up a replay that waited when the gateway last ended: its row exists already.
    package func resume(_ recovered: RecoveredReplay) {
        let source = recovered.source
        let route = (try? route(of: source, .none)) ?? routing.fallback
        let bytes = source.body.bytesInMemory
        budget.charge(bytes)
        let sink = DiscardedAnswer(holding: bytes, of: budget)
        let order = Order(source: source, route: route)
        let request = request(order, .none, replayOf: source.replayOf, job: source.replayJob, sink: sink)
        request.stamp(recovered.stamp)
        dispatcher.eventLoop.execute {
            sink.source = dispatcher.submit(request)
        }
    }

    /// A request to be sent again, and the route that it has now.
    struct Order: Sendable {
        var source: ReplaySource
        var route: Route
    }

    /// The route by its name; by the path where the name is gone, or the request is changed.
    func route(of source: ReplaySource, _ edits: ReplayEdits) throws(ReplayRefusal) -> Route {
        if !edits.changesRoute, let route = routing.route(named: source.routeID) { return route }
        let target = edits.target ?? source.target
        guard let route = routing.route(for: target, edits.method ?? source.method) else {
            throw ReplayRefusal(
                .pathReserved,
                "\(String(buffer: target).prefix(100)) is a path of the gateway's or the pods' own, which is not forwarded"
            )
        }
        return route
    }

    private func submit(
        _ orders: [Order],
        _ edits: ReplayEdits,
        job: ReplayJobID?
    ) async -> [Result<RequestID, ReplayError>] {
        await withCheckedContinuation { continuation in
            dispatcher.eventLoop.execute {
                let receipts = ReplayReceipts(count: orders.count, continuation)
                for (index, order) in orders.enumerated() {
                    let bytes = (edits.body.map { .memory($0) } ?? order.source.body).bytesInMemory
                    guard budget.reserve(bytes, share: Self.budgetShare) else {
                        receipts.take(.failure(Self.budgetIsFull), of: index)
                        continue
                    }
                    let sink = DiscardedAnswer(holding: bytes, of: budget) { receipts.take($0, of: index) }
                    let request = request(order, edits, replayOf: order.source.id, job: job, sink: sink)
                    sink.source = dispatcher.submit(request)
                }
            }
        }
    }

    private static let budgetIsFull = ReplayError(
        reason: .queueFull,
        description: "the bodies of requests that wait fill what replays may use of MAX_QUEUE_BYTES"
    )

    private func request(
        _ order: Order,
        _ edits: ReplayEdits,
        replayOf: RequestID?,
        job: ReplayJobID?,
        sink: DiscardedAnswer
    ) -> QueuedRequest {
        let source = order.source
        let method = edits.method ?? source.method
        let fields = edits.applied(to: source.fields)
        return QueuedRequest(
            eventLoop: dispatcher.eventLoop,
            route: order.route,
            method: method,
            target: edits.target ?? source.target,
            fields: fields,
            body: edits.body.map { $0.readableBytes > 0 ? .memory($0) : .none } ?? source.body,
            needs: method == .options ? .zero : order.route.needs,
            priority: .replay,
            clientAddress: source.clientAddress,
            arrivedAt: .now(),
            // `Prefer: wait` was the word of a client that is gone: it bounds a replay that an operator looks at, not one of many.
            holdLimit: job == nil ? source.holdLimit : nil,
            hasIdempotencyKey: fields.contains("Idempotency-Key"),
            replayOf: replayOf,
            replayJob: job,
            sink: sink
        )
    }
}

/// Why a request was not queued again.
package struct ReplayError: Error, Sendable, CustomStringConvertible {
    package var reason: EndReason
    package var description: String
}

/// Waits until each of several replays has its row or was refused. Used on one event loop.
private final class ReplayReceipts {
    private var results: [Result<RequestID, ReplayError>?]
    private var missing: Int
    private let continuation: CheckedContinuation<[Result<RequestID, ReplayError>], Never>

    init(count: Int, _ continuation: CheckedContinuation<[Result<RequestID, ReplayError>], Never>) {
        results = Array(repeating: nil, count: count)
        missing = count
        self.continuation = continuation
    }

    func take(_ result: Result<RequestID, ReplayError>, of index: Int) {
        precondition(results[index] == nil, "a replay is recorded or refused once")
        results[index] = result
        missing -= 1
        if missing == 0 { continuation.resume(returning: results.map { $0! }) }
    }
}

/// Takes an answer that nobody waits for: the row keeps what is to be kept of it. Used on one event loop.
final class DiscardedAnswer: AnswerSink, @unchecked Sendable {
    // `@unchecked`: made by a task, then used on the request's event loop only, which its protocol demands.
    var source: (any AnswerSource)?
    private var whenRecorded: ((Result<RequestID, ReplayError>) -> Void)?
    private let budget: ByteBudget
    /// Taken out of it until the body is not sent any more.
    private var held: Int

    /// - Parameter whenRecorded: Called once, when the request has its row or was refused before it had.
    init(holding bytes: Int, of budget: ByteBudget, whenRecorded: ((Result<RequestID, ReplayError>) -> Void)? = nil) {
        held = bytes
        self.budget = budget
        self.whenRecorded = whenRecorded
    }

    deinit { letGo() }

    private func letGo() {
        budget.release(held)
        held = 0
    }

    func recorded(_ id: RequestID) { tell(.success(id)) }

    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming) { letGo() }

    func body(_ bytes: ByteBuffer) {}

    func end(trailers: HeaderFields?) {
        letGo()
        // In delivering, the exchange waits for this; it never tells the sink from within `delivered()`.
        source?.delivered()
        source = nil
    }

    func abort() {
        letGo()
        source = nil
    }

    func refuse(_ refusal: Refusal) {
        letGo()
        tell(.failure(ReplayError(reason: refusal.reason, description: refusal.detail)))
        source = nil
    }

    private func tell(_ result: Result<RequestID, ReplayError>) {
        whenRecorded?(result)
        whenRecorded = nil
    }
}
