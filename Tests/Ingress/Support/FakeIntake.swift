import Core
import NIOConcurrencyHelpers
import NIOCore
import Queue

/// A small dispatcher: hands every request to a test, or answers by itself.
final class FakeIntake: RequestIntake {
    let requests = Watched<[FakeCall]>([])
    private let answer: @Sendable (FakeCall) -> Void

    /// - Parameter answer: What is done with each request, on its event loop, after `submit` has returned; nothing by default.
    init(_ answer: @escaping @Sendable (FakeCall) -> Void = { _ in }) {
        self.answer = answer
    }

    func submit(_ request: QueuedRequest) -> any AnswerSource {
        request.eventLoop.preconditionInEventLoop()
        let call = FakeCall(request)
        requests.update { $0.append(call) }
        request.eventLoop.execute { [answer] in answer(call) }
        return call
    }

    /// The next request.
    func next() async -> FakeCall {
        await requests.take { $0.isEmpty ? nil : $0.removeFirst() }
    }

    /// The next request that has come already.
    func taken() -> FakeCall? {
        var call: FakeCall?
        requests.update { call = $0.isEmpty ? nil : $0.removeFirst() }
        return call
    }
}

/// A request that a ``FakeIntake`` has, and what its client did.
final class FakeCall: AnswerSource, Sendable {
    enum Event: Equatable, Sendable {
        case writable(Bool)
        case delivered
        case left
        case gatewayEnded
    }

    let request: QueuedRequest
    let events = Watched<[Event]>([])

    init(_ request: QueuedRequest) {
        self.request = request
    }

    func setWritable(_ writable: Bool) { record(.writable(writable)) }
    func delivered() { record(.delivered) }
    func clientLeft() { record(.left) }
    func gatewayEnds() { record(.gatewayEnded) }

    private func record(_ event: Event) {
        request.eventLoop.preconditionInEventLoop()
        events.update { $0.append(event) }
    }

    static let id = RequestID(rawValue: 123_456_789)
    static let timing = AnswerTiming(
        requestID: id,
        podID: "pod-1",
        hold: .microseconds(1500),
        upstream: .milliseconds(12)
    )

    /// Does something with the sink on the request's loop.
    func act(_ action: @escaping @Sendable (any AnswerSink) -> Void) {
        let request = request
        request.eventLoop.execute { action(request.sink) }
    }

    /// A whole answer.
    func answer(_ status: Int = 200, _ fields: [(String, String)] = [], _ body: String = "") {
        act { sink in
            sink.begin(
                ResponseHead(status: status, reason: "Fine", fields: HeaderFields(fields)),
                framing: .length(body.utf8.count),
                timing: Self.timing
            )
            sink.body(ByteBuffer(string: body))
            sink.end(trailers: nil)
        }
    }

    func begin(_ status: Int = 200, _ fields: [(String, String)] = [], _ framing: BodyFraming) {
        act {
            $0.begin(
                ResponseHead(status: status, reason: "Fine", fields: HeaderFields(fields)),
                framing: framing,
                timing: Self.timing
            )
        }
    }

    func body(_ text: String) { act { $0.body(ByteBuffer(string: text)) } }
    func end() { act { $0.end(trailers: nil) } }

    var bodyText: String? {
        switch request.body {
        case .none: nil
        case .memory(let buffer): String(buffer: buffer)
        case .spooled: nil
        }
    }
}

/// A journal that keeps what was rejected.
final class FakeJournal: RequestJournal {
    let rejections = Watched<[Rejection]>([])
    let problem = NIOLockedValueBox<StorageProblem?>(nil)

    func insert(_ request: QueuedRequest, pod: Pod?, receiver: any CommitReceiver) {}
    func attempt(_ request: QueuedRequest, number: Int, pod: Pod, receiver: any CommitReceiver) {}
    func end(_ outcome: Outcome) {}
    func discard(_ body: SpooledBody) {}
    func rejected(_ rejection: Rejection) -> RequestID {
        rejections.update { $0.append(rejection) }
        return newID()
    }

    func newID() -> RequestID { RequestID(rawValue: 1) }
    var unavailable: StorageProblem? { problem.withLockedValue { $0 } }
}
