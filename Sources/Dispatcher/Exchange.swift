import Core
import NIOCore
import Queue
import Synchronization

/// One request between its client, the dispatcher and its pod: what happens to it on its client's event loop.
///
/// It hears of commits from the journal, forwards through the transport, hands the answer to the sink, and tells the dispatcher when an
/// attempt is over. It alone writes the request's end, so there is exactly one: whoever comes second finds it ended.
/// Everything is used on ``eventLoop``, except what is marked as the dispatcher's.
final class Exchange: @unchecked Sendable {
    // `@unchecked`: `phase` and all that belongs to it are confined to `eventLoop`; `ticket`, `attempts` and `dispatchedTo` to the dispatcher's loop;
    // `writtenAt` is atomic; `isTrial` is handed over with the dispatch; the rest never changes.

    /// Where the request is. `request_log`'s state is `queued` in the first two, `dispatched` in the rest.
    enum Phase {
        /// Handed over; its row is not committed yet.
        case inserting
        /// Committed and held: no pod has it.
        case waiting
        /// Forwarding; no byte of an answer was passed on.
        case calling(any PodCall)
        /// The pod answered busy: its answer is taken in, in case it is the last word.
        case refusing(any PodCall, ResponseHead, ByteBuffer?)
        /// The answer is being passed on.
        case streaming(any PodCall)
        /// The answer is whole and on its way to the client.
        case delivering
        /// The client or the disk is gone: ends as soon as the dispatcher has let go of it.
        case withdrawing(Withdrawal)
        case ended
    }

    let request: QueuedRequest
    let context: ExchangeContext
    let eventLoop: any EventLoop
    var phase = Phase.inserting
    /// By what pods may have seen of it, which its row tells too: `dispatched` while a pod has it and from the moment on that one may have
    /// begun it, `queued` else.
    private(set) var state = RequestState.queued

    // MARK: The dispatcher's

    /// Its handle in the state machine; nil before its arrival was handled, and after it left.
    var ticket: Ticket?
    /// Dispatches handed to the journal.
    var attempts = 0
    /// The pod of the last of them.
    var dispatchedTo: Pod?

    // MARK: Shared

    /// Whether the attempt is to show that its pod is well again. Set by the dispatcher before it hands the dispatch to the journal, read
    /// here after its commit.
    var isTrial = false

    /// In nanoseconds of `NIODeadline`; 0 for nil.
    private let writtenNanoseconds = Atomic<UInt64>(0)

    /// When the last byte of the current attempt's request was written; nil while it was not. Set here and cleared by the dispatcher,
    /// which reads it when a sample comes.
    var writtenAt: NIODeadline? {
        get {
            let nanoseconds = writtenNanoseconds.load(ordering: .relaxed)
            return nanoseconds == 0 ? nil : .uptimeNanoseconds(nanoseconds)
        }
        set { writtenNanoseconds.store(newValue?.uptimeNanoseconds ?? 0, ordering: .relaxed) }
    }

    /// nil where the request is not traced.
    var spans: RequestSpans?
    /// Whether the journal is to hear of its end before it is closed.
    private var isAwaited = false

    // MARK: For the row

    var isInserted = false
    var committedAt = NIODeadline.uptimeNanoseconds(0)
    var dispatchedAt: NIODeadline?
    var headAt: NIODeadline?
    /// When the last attempt was over; nil while it is under way.
    var attemptEndedAt: NIODeadline?
    /// Whether it is back in its line.
    var isBack = false
    /// What attempts took after which it went back.
    var awayFor = TimeAmount.zero
    var pod: Pod?
    /// Attempts that a pod may have begun.
    var begunAttempts = 0
    var dispatches = 0
    var answerHead: ResponseHead?
    var answerFraming = BodyFraming.none
    var answerBytes = 0
    var keptBody = ByteBuffer()
    /// The last answer with which a pod refused it as busy.
    var busyAnswer: KeptAnswer?
    /// Lets go of a busy answer that does not end.
    var busyLimit: Scheduled<Void>?
    /// How the last attempt failed, for the detail of a refusal.
    var lastProblem: String?

    init(request: QueuedRequest, context: ExchangeContext) {
        self.request = request
        self.context = context
        eventLoop = request.eventLoop
        if let tracer = context.dispatcher.tracer { spans = RequestSpans(of: request, tracer: tracer) }
        if request.priority == .live { enter() }
        // A replay from before a restart has its row.
        isInserted = request.isStamped
        if isInserted { committedAt = .now() }
    }

    private func enter() {
        guard !isAwaited else { return }
        isAwaited = true
        context.dispatcher.unended.enter()
    }

    /// Its end was handed over, or it has none.
    func leave() {
        guard isAwaited else { return }
        isAwaited = false
        context.dispatcher.unended.leave()
    }

    /// Whether its row is left without an end when the gateway ends: nobody waits for a replay, and one that was never sent goes on
    /// waiting at the next start (``Queue/Recovery``).
    var mayOutliveProcess: Bool { request.priority == .replay && dispatches == 0 }

    /// Whether an attempt that a pod may have begun may be made again (RFC 9110 §9.2.2, and the route's rule).
    var mayRepeat: Bool {
        switch request.route.retry.value {
        case .always: true
        case .idempotent: request.method.isIdempotent
        case .idempotencyKey: request.method.isIdempotent || request.hasIdempotencyKey
        case .never: false
        }
    }
}

/// What every exchange needs of the world.
struct ExchangeContext: Sendable {
    let journal: any RequestJournal
    let transport: any PodTransport
    let configuration: ExchangeConfiguration
    /// Tells the dispatcher; from any loop.
    let dispatcher: RequestDispatcher
}

// MARK: - Commits

extension Exchange: CommitReceiver {
    func committed(pod: Pod?) {
        if !isInserted {
            isInserted = true
            committedAt = .now()
            spans?.held(at: committedAt)
            if case .inserting = phase { request.sink.recorded(request.id) }
        }
        switch phase {
        case .inserting:
            phase = .waiting
            if let pod { forward(to: pod) }
        case .waiting:
            if let pod { forward(to: pod) }
        case .withdrawing, .ended:
            // A client that left between hand-over and commit; the dispatcher knows.
            break
        case .calling, .refusing, .streaming, .delivering:
            preconditionFailure("a request was dispatched twice at once")
        }
    }

    func commitFailed(_ problem: StorageProblem) {
        switch phase {
        case .inserting, .waiting:
            phase = .withdrawing(.storageFailed)
            request.sink.refuse(
                Refusal(
                    reason: .storageUnavailable,
                    detail: "the request could not be recorded: \(problem)",
                    retryAfter: context.configuration.storageRetryAfter,
                    requestID: request.id
                )
            )
            context.dispatcher.tell(.withdrawn, of: self)
        case .withdrawing, .ended:
            break
        case .calling, .refusing, .streaming, .delivering:
            preconditionFailure("a commit was reported after its dispatch")
        }
    }
}

// MARK: - Forwarding

extension Exchange {
    /// Moves it on by the table of legal moves.
    /// - Returns: False where there is no such move, which is a bug of ours: nothing is to be written then.
    func move(to next: RequestState) -> Bool {
        do throws(IllegalMove) {
            try state.move(to: next)
            return true
        } catch {
            assertionFailure("request \(request.id): \(error)")
            return false
        }
    }

    /// Sends the request to a pod; its dispatch is committed.
    private func forward(to pod: Pod) {
        enter()
        if state == .dispatched { _ = move(to: .queued) }
        _ = move(to: .dispatched)
        let now = NIODeadline.now()
        self.pod = pod
        dispatches += 1
        dispatchedAt = now
        attemptEndedAt = nil
        isBack = false
        headAt = nil
        answerHead = nil
        answerBytes = 0
        keptBody.clear()
        var extraFields = ByteBuffer()
        extraFields.writeText("Neutrino-Request-Id: ")
        request.id.write(into: &extraFields)
        extraFields.writeText("\r\nNeutrino-Resources: ")
        ResourceHeader.write(request.needs, into: &extraFields)
        extraFields.writeText("\r\n")
        let outbound = OutboundRequest(
            method: request.method,
            target: request.target,
            fields: spans?.dispatched(to: pod, attempt: dispatches, at: now) ?? request.fields,
            extraFields: extraFields,
            body: request.body,
            mayReuseIdle: mayRepeat,
            firstByteTimeout: TimeAmount(request.route.requestTimeout.value)
        )
        phase = .calling(context.transport.send(outbound, to: pod, on: eventLoop, receiver: self))
    }

    /// The dispatcher ends a request that no pod has: its hold timeout passed, or its attempts are used up.
    func refuse(_ refusal: Refusal, afterBusy: Bool = false) {
        switch phase {
        case .inserting where refusal.reason == .draining && mayOutliveProcess,
            .waiting where refusal.reason == .draining && mayOutliveProcess:
            phase = .ended
            leave()
            request.sink.refuse(refusal)
        case .inserting, .waiting:
            var refusal = refusal
            // It has one, and a row, from when it was handed to the journal: also where the commit is not reported yet.
            refusal.requestID = request.id
            refusal.hold = hold(until: .now())
            if afterBusy { refusal.podAnswer = busyAnswer }
            if let lastProblem { refusal.detail += "; the last attempt failed at \(lastProblem)" }
            let status = refusal.podAnswer?.head.status ?? refusal.reason.status
            end(refusal.endState(from: state), refusal.reason, detail: refusal.detail, status: status)
            request.sink.refuse(refusal)
        case .withdrawing:
            letGo()
        case .ended:
            break
        case .calling, .refusing, .streaming, .delivering:
            preconditionFailure("the dispatcher ended a request that a pod has")
        }
    }
}
