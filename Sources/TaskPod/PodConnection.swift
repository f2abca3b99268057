import Core
import Glibc
import HTTP
import NIOCore

/// A client's connection to the pod: one request after the other, each answered by the pod itself or by a ``PodExchange``.
final class PodConnection: ChannelInboundHandler {
    typealias InboundIn = RequestPart
    typealias OutboundOut = ByteBuffer

    /// Sent through the pipeline when the pod begins to drain.
    struct DrainEvent: Sendable {}

    let pod: PodState
    private let flow: RequestFlow
    /// Makes the exchange of a task; it may answer at once.
    private let makeExchange: (PodConnection, RequestHead, BodyFraming) -> (any PodExchange)?

    /// nil once the connection is gone.
    private var context: ChannelHandlerContext?
    let eventLoop: any EventLoop
    private var exchange: (any PodExchange)?
    /// Of the request under way.
    private(set) var head: RequestHead?
    private var requestHasEnded = false
    /// The client holds its body back until it is told to send it.
    private var awaitsContinue = false
    private var keepsConnection = true
    private var answer = Answer.none
    /// Nothing more is read from the client: its body has nowhere to go.
    private var isHeld = false
    private var patience: ClientPatience?
    /// Whether ``patience`` is with the rest of a head.
    private var awaitsHead = false

    private enum Answer {
        case none
        /// The head is written; how the body is framed, and whether the client reads one at all.
        case body(BodyFraming, isSent: Bool)
        case ended
    }

    init(
        pod: PodState,
        flow: RequestFlow,
        eventLoop: any EventLoop,
        makeExchange: @escaping (PodConnection, RequestHead, BodyFraming) -> (any PodExchange)?
    ) {
        self.pod = pod
        self.flow = flow
        self.eventLoop = eventLoop
        self.makeExchange = makeExchange
        // One that is accepted while the pod drains is not told by an event.
        keepsConnection = !pod.isDraining
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        patience?.end()
        patience = nil
    }

    // MARK: From the client

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head, let framing):
            begin(head, framing)
        case .body(let bytes):
            exchange?.requestBody(bytes)
        case .end(let trailers):
            requestHasEnded = true
            awaitsContinue = false
            flow.pause()
            if let exchange {
                exchange.requestEnded(trailers: trailers)
            } else if case .none = answer {
                answerItself()
            }
            finishIfDone()
        case .invalid(let error):
            keepsConnection = false
            let isAnswered = if case .none = answer { false } else { true }
            leave()
            if !isAnswered { refuse(status: error.status, error.description) }
            close()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        watchClient()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        patience?.end()
        leave()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.setWritable(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is DrainEvent else { return context.fireUserInboundEventTriggered(event) }
        keepsConnection = false
        if head == nil { close() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset by the client; `channelInactive` follows.
        close()
    }

    private func begin(_ head: RequestHead, _ framing: BodyFraming) {
        self.head = head
        awaitsHead = false
        requestHasEnded = false
        answer = .none
        awaitsContinue = framing != .none && head.expectsContinue
        if !head.keepsConnection { keepsConnection = false }
        guard !Self.isOwn(head.target) else { return }
        exchange = makeExchange(self, head, framing)
    }

    private func leave() {
        let exchange = exchange
        self.exchange = nil
        exchange?.clientLeft()
    }

    private func close() { context?.close(promise: nil) }

    // MARK: The client's time

    /// Counts the time for what the client has begun to send and not ended.
    private func watchClient() {
        if head != nil {
            if requestHasEnded || isHeld { patience?.stop() } else { wait(pod.configuration.bodyTimeout) }
        } else if !flow.holdsBytes {
            patience?.stop()
        } else if !awaitsHead {
            // It has its time from its first bytes on, however many come later.
            awaitsHead = true
            wait(pod.configuration.headTimeout)
        }
    }

    private func wait(_ time: TimeAmount) {
        if patience == nil {
            patience = ClientPatience(eventLoop: eventLoop) { [weak self] in self?.timeIsOver() }
        }
        patience?.wait(time)
    }

    private func timeIsOver() {
        keepsConnection = false
        // Without a head, what `answer` says is of the request before.
        let isUnanswered = if case .none = answer { true } else { head == nil }
        leave()
        if isUnanswered { refuse(status: 408, "the rest of the request did not come in time") }
        close()
    }

    // MARK: Answers

    /// Tells the client to send the body it holds back.
    func writeContinue() {
        guard awaitsContinue else { return }
        awaitsContinue = false
        write(raw: ByteBuffer(staticString: MessageWriter.continueBytes))
        flush()
    }

    /// Whether bytes that are written leave soon.
    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Reads from the client or not.
    func setReading(_ isReading: Bool) {
        isHeld = !isReading
        if !requestHasEnded { watchClient() }
        try? context?.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    /// Whether an answer of that status has a body at all (RFC 9112 §6.3).
    private static func hasBody(_ status: Int) -> Bool { status >= 200 && status != 204 && status != 304 }

    /// A whole answer, in one write; without its body where the status allows none.
    func answer(
        status: Int,
        type: StaticString = "application/json",
        capacity: ResourceVector? = nil,
        _ body: ByteBuffer,
        fields: (inout ByteBuffer) -> Void = { _ in }
    ) {
        if awaitsContinue { keepsConnection = false }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(256 + body.readableBytes)
        let hasBody = Self.hasBody(status)
        let framing = hasBody ? BodyFraming.length(body.readableBytes) : .none
        AnswerHead.write(
            status: status,
            framing: framing,
            keepsConnection: keepsConnection,
            head,
            capacity,
            into: &buffer
        ) {
            if hasBody {
                $0.writeStaticString("Content-Type: ")
                $0.writeStaticString(type)
                $0.writeStaticString("\r\n")
            }
            fields(&$0)
        }
        if hasBody, head?.method != .head { buffer.writeImmutableBuffer(body) }
        write(raw: buffer)
        flush()
        ended()
    }

    /// An error in words, by the pod itself.
    func refuse(status: Int, _ message: String, capacity: ResourceVector? = nil) {
        answer(status: status, capacity: capacity, JSONWriter.object { $0.member("error", message) })
    }

    /// The beginning of an answer whose body follows; not flushed yet.
    /// - Parameter framing: Where the length is not known, what this client's version allows is taken.
    func begin(
        status: Int,
        reason: String? = nil,
        framing asked: BodyFraming,
        capacity: ResourceVector?,
        fields: (inout ByteBuffer) -> Void
    ) {
        let framing: BodyFraming
        switch asked {
        case _ where !Self.hasBody(status): framing = .none
        case .none, .length: framing = asked
        case .chunked where head?.version == .http10, .untilClose where head?.version == .http10:
            framing = .untilClose
            keepsConnection = false
        case .chunked, .untilClose: framing = .chunked
        }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(512)
        AnswerHead.write(
            status: status,
            reason: reason,
            framing: framing,
            keepsConnection: keepsConnection,
            head,
            capacity,
            into: &buffer,
            fields: fields
        )
        answer = .body(framing, isSent: head?.method != .head && framing != .none)
        write(raw: buffer)
    }

    /// Bytes that are no part of a body, or a body's own framing.
    func write(raw bytes: ByteBuffer) { context?.write(wrapOutboundOut(bytes), promise: nil) }

    /// Bytes of the body; flushed by ``flush()``.
    func write(_ bytes: ByteBuffer) {
        guard case .body(let framing, isSent: true) = answer, bytes.readableBytes > 0 else { return }
        guard framing == .chunked else { return write(raw: bytes) }
        var line = ByteBuffer()
        MessageWriter.writeChunkStart(size: bytes.readableBytes, into: &line)
        write(raw: line)
        write(raw: bytes)
        write(raw: ByteBuffer(staticString: "\r\n"))
    }

    func flush() { context?.flush() }

    /// The answer is whole.
    func end(trailers: HeaderFields? = nil) {
        if case .body(.chunked, isSent: true) = answer {
            var buffer = ByteBuffer()
            MessageWriter.writeLastChunk(trailers: trailers, into: &buffer)
            write(raw: buffer)
        }
        flush()
        ended()
    }

    /// Ends the connection with the answer not whole, by FIN, or by RST (so that the client loses what it has not read yet).
    func abort(reset: Bool = false) {
        exchange = nil
        keepsConnection = false
        if reset, let provider = context?.channel as? any SocketOptionProvider {
            provider.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenFailure { _ in }
        }
        close()
    }

    private func ended() {
        answer = .ended
        exchange = nil
        if awaitsContinue {
            // Whether the body comes now is for the client to say (RFC 9110 §10.1.1), so where the next request begins is unknown.
            close()
        } else {
            finishIfDone()
        }
    }

    private func finishIfDone() {
        guard case .ended = answer, requestHasEnded, head != nil else { return }
        head = nil
        if keepsConnection { flow.resume() } else { close() }
    }

    // MARK: The pod's own paths

    private static func isOwn(_ target: ByteBuffer) -> Bool {
        target.withUnsafeReadableBytes { bytes in
            let path = UnsafeRawBufferPointer(rebasing: bytes.prefix { $0 != UInt8(ascii: "?") })
            return path.elementsEqual("/capacity".utf8) || path.elementsEqual("/health".utf8)
                || path.starts(with: "/_pod/".utf8)
        }
    }

    private func answerItself() {
        guard let head else { return }
        let path = head.targetText.prefix { $0 != "?" }
        guard head.method == .get || head.method == .head else {
            let body = JSONWriter.object { $0.member("error", "only GET and HEAD are known at \(path)") }
            return answer(status: 405, body) { $0.writeStaticString("Allow: GET, HEAD\r\n") }
        }
        switch path {
        case "/capacity": answer(status: 200, pod.capacityReport())
        case "/health":
            let (isHealthy, body) = pod.healthReport()
            answer(status: isHealthy ? 200 : 503, body)
        case "/_pod/stats": answer(status: 200, pod.statisticsReport())
        case "/_pod/requests": answer(status: 200, pod.requestsReport())
        default: refuse(status: 404, "nothing is at \(path); /_pod/stats and /_pod/requests are")
        }
    }
}
