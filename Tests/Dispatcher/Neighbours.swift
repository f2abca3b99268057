import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Queue

/// A journal that commits on the next tick of the receiver's loop, and remembers what it was told.
final class MemoryJournal: RequestJournal {
    private struct State {
        var ids = RequestIDGenerator(node: 0, last: 0)
        var log: [String] = []
        var requests: [RequestID] = []
        var outcomes: [Outcome] = []
    }

    private let state = NIOLockedValueBox(State())
    private let inserted = Counter()
    private let endedCounter = Counter()
    let failsCommits = NIOLockedValueBox(false)
    /// Whether commits are not told of.
    let keepsCommits = NIOLockedValueBox(false)
    let commits = Counter()

    var log: [String] { state.withLockedValue { $0.log } }
    var ended: [RequestID] { state.withLockedValue { $0.outcomes.map(\.id) } }
    var unavailable: StorageProblem? { nil }

    func insert(_ request: QueuedRequest, pod: Pod?, receiver: any CommitReceiver) {
        state.withLockedValue { state in
            let id = state.ids.next(milliseconds: 1_790_000_000_000)
            request.stamp(QueuedRequest.Stamp(id: id, milliseconds: 1_790_000_000_000))
            state.requests.append(id)
            state.log.append("insert \(pod?.id ?? "-")")
        }
        inserted.increment()
        commit(pod, receiver)
    }

    func attempt(_ request: QueuedRequest, number: Int, pod: Pod, receiver: any CommitReceiver) {
        state.withLockedValue { $0.log.append("attempt \(number) \(pod.id)") }
        commit(pod, receiver)
    }

    private func commit(_ pod: Pod?, _ receiver: any CommitReceiver) {
        nonisolated(unsafe) let receiver = receiver  // used on its own loop only
        guard !keepsCommits.withLockedValue({ $0 }) else { return }
        let fails = failsCommits.withLockedValue { $0 }
        receiver.eventLoop.execute {
            if fails {
                receiver.commitFailed(StorageProblem(.full, "the disk is full"))
            } else {
                self.commits.increment()
                receiver.committed(pod: pod)
            }
        }
    }

    func end(_ outcome: Outcome) {
        state.withLockedValue { state in
            precondition(!state.outcomes.contains { $0.id == outcome.id }, "a request ended twice")
            state.outcomes.append(outcome)
            state.log.append("end \(outcome.state) \(outcome.reason.rawValue)")
        }
        endedCounter.increment()
    }

    func discard(_ body: SpooledBody) {
        state.withLockedValue { $0.log.append("discarded \(body.name)") }
    }

    func rejected(_ rejection: Rejection) -> RequestID {
        state.withLockedValue { $0.log.append("rejected \(rejection.reason.rawValue)") }
        return newID()
    }

    func newID() -> RequestID { RequestID(rawValue: .max) }

    func firstID() async throws -> RequestID {
        try await inserted.reaches(1)
        return state.withLockedValue { $0.requests[0] }
    }

    /// The first end that was written.
    func outcome() async throws -> Outcome {
        try await endedCounter.reaches(1)
        return state.withLockedValue { $0.outcomes[0] }
    }

    func outcomes(_ count: Int) async throws { try await endedCounter.reaches(count) }
}

/// A transport whose pods do what a script says, call by call; then answer 200 `hello`.
final class ScriptedTransport: PodTransport {
    enum Step: Sendable {
        case answer(Int, String)
        /// Begins an answer and breaks off.
        case cut(Int, String)
        case fail(PodCallFailure.Kind)
        case silence
        /// Begins an answer, and then nothing more.
        case stall(Int)
    }

    private struct State {
        var script: [Step]
        var sentBeforeCommit = 0
        var fields: [HeaderFields] = []
    }

    private let state: NIOLockedValueBox<State>
    private let journal: MemoryJournal
    private let sends = Counter()
    private let cancels = Counter()

    init(journal: MemoryJournal, script: [Step]) {
        self.journal = journal
        state = NIOLockedValueBox(State(script: script))
    }

    var count: Int { sends.value }
    var cancelled: Int { cancels.value }
    var sentBeforeCommit: Int { state.withLockedValue { $0.sentBeforeCommit } }

    /// Of each request that was sent.
    var fields: [HeaderFields] { state.withLockedValue { $0.fields } }

    func sent(_ count: Int) async throws { try await sends.reaches(count) }

    func send(
        _ request: OutboundRequest,
        to pod: Pod,
        on eventLoop: any EventLoop,
        receiver: any PodAnswerReceiver
    ) -> any PodCall {
        let call = Call(cancels: cancels)
        let step = state.withLockedValue { state in
            if sends.value >= journal.commits.value { state.sentBeforeCommit += 1 }
            state.fields.append(request.fields)
            return state.script.isEmpty ? .answer(200, "hello") : state.script.removeFirst()
        }
        sends.increment()
        nonisolated(unsafe) let receiver = receiver  // used on this loop only
        eventLoop.execute {
            guard !call.isCancelled else { return }
            switch step {
            case .answer(let status, let text):
                receiver.requestWritten(at: .now())
                receiver.answerHead(ResponseHead(status: status, reason: "", fields: HeaderFields()), framing: .chunked)
                receiver.answerBody(ByteBuffer(string: text))
                receiver.answerEnd(trailers: nil)
            case .cut(let status, let text):
                receiver.requestWritten(at: .now())
                receiver.answerHead(ResponseHead(status: status, reason: "", fields: HeaderFields()), framing: .chunked)
                receiver.answerBody(ByteBuffer(string: text))
                receiver.answerFailed(PodCallFailure(.reset, "cut"))
            case .fail(let kind):
                receiver.requestWritten(at: .now())
                receiver.answerFailed(PodCallFailure(kind, "as scripted"))
            case .silence:
                receiver.requestWritten(at: .now())
            case .stall(let status):
                receiver.requestWritten(at: .now())
                receiver.answerHead(ResponseHead(status: status, reason: "", fields: HeaderFields()), framing: .chunked)
            }
        }
        return call
    }

    private final class Call: PodCall, @unchecked Sendable {
        // `@unchecked`: used on its loop only.
        private let cancels: Counter
        private(set) var isCancelled = false

        init(cancels: Counter) { self.cancels = cancels }

        func cancel() {
            isCancelled = true
            cancels.increment()
        }

        func setReading(_ reading: Bool) {}
    }
}
