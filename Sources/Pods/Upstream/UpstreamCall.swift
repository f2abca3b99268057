import Core
import NIOCore

/// One attempt at a pod, from the search for a connection to the end of the answer. On its event loop only.
final class UpstreamCall: PodCall, @unchecked Sendable {
    // `@unchecked`: passes through closures of the loop's own futures.
    enum Phase {
        case connecting
        /// A connection is ready; the request is being written.
        case sending
        /// The whole request was written.
        case waiting
        /// The final head came; the request may still be under way.
        case answering
    }

    let request: OutboundRequest
    private let loop: UpstreamLoop
    private let pod: Pod
    /// nil once nothing more is to be told.
    private(set) var receiver: (any PodAnswerReceiver)?
    private var connection: UpstreamConnection?
    private(set) var isReading = true
    private var phase = Phase.connecting
    private var deadline = NIODeadline.distantFuture
    /// Whether something moved since the deadlines were looked at last.
    private var hasMoved = false
    /// Whether ``begin()`` has not returned yet, so that no end may be told.
    private var isBeginning = false
    /// Where it is in the loop's list.
    var place = 0

    init(request: OutboundRequest, to pod: Pod, receiver: any PodAnswerReceiver, loop: UpstreamLoop) {
        self.request = request
        self.pod = pod
        self.receiver = receiver
        self.loop = loop
    }

    var isOver: Bool { receiver == nil }

    // MARK: The dispatcher's side

    func begin() {
        let now = loop.now()
        let pool = loop.pool(of: pod)
        loop.watch(self)
        isBeginning = true
        if let connection = pool.take(mayReuseIdle: request.mayReuseIdle, now: now) {
            deadline = now + loop.configuration.streamIdleTimeout
            connection.serve(self)
        } else {
            deadline = now + loop.configuration.connectTimeout
            pool.connect(for: self)
        }
        isBeginning = false
    }

    func cancel() {
        guard end() != nil else { return }
        connection?.abandon()
        connection = nil
    }

    func setReading(_ reading: Bool) {
        guard !isOver, reading != isReading else { return }
        isReading = reading
        hasMoved = true
        if reading { connection?.resumeReading() }
    }

    // MARK: The connection's side

    /// A connection is this call's until either ends.
    func given(_ connection: UpstreamConnection) { self.connection = connection }

    /// The connection is ready and the request is being written.
    func sendingBegins() {
        phase = .sending
        hasMoved = true
    }

    /// The connection that it was given ended before a byte of the request was handed to the kernel: another one, a new one.
    func startAgain() {
        guard !isOver else { return }
        connection = nil
        phase = .connecting
        deadline = loop.now() + loop.configuration.connectTimeout
        loop.pool(of: pod).connect(for: self)
    }

    /// The pod took a piece of the request, or sent a piece of the answer.
    func moved() { hasMoved = true }

    /// The last byte of the request was handed to the kernel.
    func requestWritten() {
        guard !isOver else { return }
        let now = loop.now()
        if phase == .sending {
            phase = .waiting
            deadline = now + request.firstByteTimeout
            hasMoved = false
        }
        receiver?.requestWritten(at: now)
    }

    func answerBegins() {
        phase = .answering
        hasMoved = true
    }

    /// The answer is whole; the connection is no longer this call's.
    func answerEnded(trailers: HeaderFields?) {
        connection = nil
        end()?.answerEnd(trailers: trailers)
    }

    /// It ended otherwise; the connection is no longer this call's.
    func failed(_ failure: PodCallFailure) {
        connection = nil
        guard isBeginning else {
            end()?.answerFailed(failure)
            return
        }
        loop.eventLoop.assumeIsolated().execute { self.end()?.answerFailed(failure) }
    }

    func connectFailed(_ why: String, isOurs: Bool = false) {
        failed(PodCallFailure(isOurs ? .outOfResources : .connectFailed, why))
    }

    /// - Returns: Who is to hear of the end; nil where nobody is.
    private func end() -> (any PodAnswerReceiver)? {
        guard let receiver else { return nil }
        self.receiver = nil
        loop.unwatch(self)
        return receiver
    }

    // MARK: Time

    /// Whether a deadline has passed. Nothing is late while the receiver takes no more, or the pod moves.
    func isLate(_ now: NIODeadline) -> Bool {
        let idles = phase == .sending || phase == .answering
        if idles, hasMoved || !isReading {
            hasMoved = false
            deadline = now + loop.configuration.streamIdleTimeout
            return false
        }
        return deadline <= now
    }

    func timeOut() {
        guard !isOver else { return }
        let configuration = loop.configuration
        let failure =
            switch phase {
            case .connecting:
                PodCallFailure(.connectFailed, "no connection within \(configuration.connectTimeout.seconds) s")
            case .sending:
                PodCallFailure(
                    .firstByteTimeout,
                    "the pod took nothing of the request for \(configuration.streamIdleTimeout.seconds) s"
                )
            case .waiting:
                PodCallFailure(.firstByteTimeout, "no answer within \(request.firstByteTimeout.seconds) s")
            case .answering:
                PodCallFailure(
                    .idleTimeout,
                    "the answer stalled for \(configuration.streamIdleTimeout.seconds) s"
                )
            }
        connection?.abandon()
        failed(failure)
    }
}
