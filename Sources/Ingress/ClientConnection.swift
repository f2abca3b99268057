import Core
import Glibc
import HTTP
import Logging
import NIOCore
import Queue

/// One client's connection: takes its requests one after the other, and writes their answers. No task, one timer.
///
/// The next request is taken when the answer to the one before is written; what a client pipelines meanwhile waits undecoded in the
/// codec, within its bound. A client that ends its side of the connection has left, as nginx sees it too: whoever still wants the
/// answer keeps the connection open both ways.
final class ClientConnection: ChannelInboundHandler, @unchecked Sendable {
    // `@unchecked`: everything is used on the channel's event loop only; the timer's protocol asks for it.

    typealias InboundIn = RequestPart
    typealias OutboundOut = ByteBuffer

    enum State: Equatable {
        case open
        /// The last answer is written, our side is closed, and what still comes is thrown away: closing at once would make the
        /// kernel send a reset, which can overtake the answer (RFC 9112 §9.6).
        ///
        /// `untilEnd`: of the request that was answered; nothing else is expected then. What comes behind a whole request is of no length
        /// that anyone knows.
        case lingering(untilEnd: Bool)
        case closed
    }

    /// What the timer waits for.
    enum Deadline {
        case none
        /// The next request.
        case idle
        /// The rest of a head.
        case head
        /// More of a body.
        case body
        /// The client to take more of an answer.
        case send
        case linger
    }

    let loop: IngressLoop
    let eventLoop: any EventLoop
    /// In place of the usual time where the connection is turned away: what it holds is scarce.
    private static let shortLinger = TimeAmount.milliseconds(200)

    /// Why it is turned away; nil where it is not.
    private let refusal: ProblemAnswer?
    private(set) var context: ChannelHandlerContext?
    private var flow: RequestFlow?
    private(set) var state = State.open
    private(set) var exchange: ClientExchange?
    /// Whether a part of a request came since the last `channelReadComplete`.
    private var sawPart = false
    private var isResuming = false
    private var flushIsScheduled = false

    // What it waits for, and until when (`+Time`).
    var deadline = Deadline.none
    var deadlineAt = NIODeadline.distantFuture
    var timer: NIOScheduledCallback?
    var timerAt = NIODeadline.distantFuture
    /// When more of the body has to have come.
    var bodyUntil = NIODeadline.distantFuture
    var sending = SendProgress(within: .zero, since: .distantFuture)

    /// Of the loop's list of idle connections.
    var idleLink = IdleLink()
    var idleSince = NIODeadline.uptimeNanoseconds(0)

    private init(loop: IngressLoop, refusal: ProblemAnswer?) {
        self.loop = loop
        self.refusal = refusal
        eventLoop = loop.eventLoop
    }

    /// Makes a channel that was accepted a client's connection. On its event loop.
    /// - Parameter refusal: What it is told, and closed; nil where it is welcome.
    static func install(on channel: any Channel, loop: IngressLoop, refusal: ProblemAnswer? = nil) throws {
        let connection = ClientConnection(loop: loop, refusal: refusal)
        let pipeline = channel.pipeline.syncOperations
        connection.flow = try loop.shared.configuration.codec.addServerHandlers(to: pipeline)
        try pipeline.addHandler(connection)
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
        if context.channel.isActive { began() }
    }

    func channelActive(context: ChannelHandlerContext) {
        began()
    }

    private func began() {
        if let refusal { return refuse(refusal) }
        becomeIdle(waiting: .head, loop.shared.timeouts.header)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        sawPart = true
        guard state == .open else {
            if state == .lingering(untilEnd: true), case .end = unwrapInboundIn(data) { close() }
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head, let framing): begin(head, framing)
        case .body(let bytes): exchange?.receive(bytes)
        case .end: exchange?.requestEnded()
        case .invalid(let error): refuse(ProblemAnswer(error))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        defer { sawPart = false }
        guard state == .open, !isResuming else { return }
        if let exchange {
            if exchange.awaitsBody, flow?.isPaused == false { waitForBody(exchange) }
        } else if !sawPart || flow?.holdsBytes == true {
            headBegan()
        }
    }

    /// Bytes came and no head: it began, and has its time from now on; later bytes do not extend it.
    private func headBegan() {
        guard deadline != .head || !sawBytes else { return }
        sawBytes = true
        wait(.head, loop.shared.timeouts.header)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        if let exchange {
            if isWritable {
                if deadline == .send, !exchange.isEnding { wait(.none, .zero) }
            } else {
                waitForSending()
            }
            exchange.setWritable(isWritable)
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.shared.logger.debug("connection failed", metadata: ["error": "\(error)"])
        close()
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        ended()
        self.context = nil
    }

    private func ended() {
        state = .closed
        loop.remove(self)
        timer?.cancel()
        timer = nil
        deadline = .none
        if let exchange {
            self.exchange = nil
            exchange.leaveClient(loop)
            exchange.connectionEnded()
            loop.exchangeEnded()
        }
    }

    // MARK: Requests

    private func begin(_ head: RequestHead, _ framing: BodyFraming) {
        loop.becameBusy(self)
        wait(.none, .zero)
        sawBytes = false
        loop.exchangeBegan()
        let exchange = ClientExchange(connection: self, head: head, framing: framing)
        self.exchange = exchange
        exchange.admit()
    }

    /// Answers what is no request that can be taken; the connection ends with it.
    func refuse(_ problem: ProblemAnswer) {
        if let exchange {
            exchange.cut(problem)
            return
        }
        loop.becameBusy(self)
        loop.exchangeBegan()
        let exchange = ClientExchange(connection: self)
        self.exchange = exchange
        exchange.cut(problem)
    }

    /// No part of a request is delivered until the flow is resumed.
    func pauseRequests() { flow?.pause() }

    /// No time is counted until the next thing happens: it is not the client's turn.
    func stopWaiting() { wait(.none, .zero) }

    /// The client may send more of a body.
    func resumeBody() {
        if let exchange {
            // What was stored came fast, and storing it is not the client's time.
            exchange.pace.restart(at: eventLoop.now)
            waitForBody(exchange)
        }
        resumeRequests()
    }

    func resumeRequests() {
        guard let flow, flow.isPaused else { return }
        isResuming = true
        flow.resume()
        isResuming = false
    }

    /// An exchange's answer is written; its request may still be coming.
    func answered(_ exchange: ClientExchange) {
        guard exchange === self.exchange, state == .open else { return }
        if exchange.closes {
            if exchange.isWhole { forgetExchange() }
            drainAndClose(untilEnd: !exchange.isWhole)
        } else if exchange.isWhole {
            next()
        } else {
            waitForBody(exchange)
        }
    }

    /// The request before is done with: takes the next.
    private func next() {
        forgetExchange()
        becomeIdle(waiting: .idle, loop.shared.timeouts.keepAlive)
        resumeRequests()
        guard state == .open else { return }
        // The next one may have begun to come while this one was answered: its time runs, whether more of it comes or not.
        if let exchange {
            if exchange.awaitsBody, flow?.isPaused == false { waitForBody(exchange) }
        } else if flow?.holdsBytes == true {
            headBegan()
        }
    }

    private func forgetExchange() {
        exchange?.leaveClient(loop)
        exchange?.connection = nil
        exchange = nil
        loop.exchangeEnded()
    }

    /// A request that was answered before its end has ended.
    func skipped(_ exchange: ClientExchange) {
        guard exchange === self.exchange, state == .open else { return }
        next()
    }

    private func becomeIdle(waiting kind: Deadline, _ time: TimeAmount) {
        sawBytes = false
        let now = eventLoop.now
        loop.becameIdle(self, since: now)
        wait(kind, until: now + time)
    }

    /// Whether a part of a head has come.
    private(set) var sawBytes = false

    // MARK: Writing

    func write(_ buffer: ByteBuffer) {
        context?.write(wrapOutboundOut(buffer), promise: nil)
    }

    /// Writes the end of an answer and sends everything.
    func finish(_ buffer: ByteBuffer, _ exchange: ClientExchange) {
        guard let context else { return }
        let promise = eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenSuccess { exchange.written() }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
        if exchange === self.exchange, exchange.isEnding { waitForSending() }
    }

    /// Sends what was written when everything that is at hand in this turn of the event loop was written.
    func flushSoon() {
        guard !flushIsScheduled else { return }
        flushIsScheduled = true
        eventLoop.assumeIsolated().execute { [self] in
            flushIsScheduled = false
            exchange?.giveOutput()
            context?.flush()
        }
    }

    func flush() { context?.flush() }

    /// The other end of the connection.
    private(set) lazy var peer: ForwardingPeer = {
        let address = context?.channel.remoteAddress
        let isTrusted = address.map { address in loop.shared.trustedProxies.contains { $0.contains(address) } }
        return ForwardingPeer(address: AddressBlock.text(of: address), isTrusted: isTrusted ?? false)
    }()

    // MARK: Closing

    /// The time of a drain is over: answers a request that has not come whole.
    func drainEnded() { exchange?.drainEnded() }

    /// Ends the connection because the gateway ends.
    /// - Returns: Whether an answer is cut by it.
    func cut() -> Bool {
        let isCut = exchange?.gatewayEnds() == true
        close()
        return isCut
    }

    /// Ends the connection at once; what was not taken by the kernel is lost.
    func close() {
        guard state != .closed else { return }
        state = .closed
        loop.becameBusy(self)
        context?.close(promise: nil)
    }

    /// Ends it so that the client cannot take what it got for a whole answer: with a reset (SO_LINGER of 0 seconds, socket(7)).
    func reset() {
        guard state != .closed, let context else { return }
        // Set before this returns, since this is the channel's event loop.
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
        close()
    }

    private func drainAndClose(untilEnd: Bool) {
        guard let context else { return }
        state = .lingering(untilEnd: untilEnd)
        context.close(mode: .output, promise: nil)
        let linger = loop.shared.timeouts.linger
        wait(.linger, refusal == nil ? linger : min(linger, Self.shortLinger))
        resumeRequests()
    }
}
