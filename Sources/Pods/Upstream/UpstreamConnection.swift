import Core
import HTTP
import NIOCore
import NIOTLS

/// The last handler of a connection to a pod: writes one request at a time and passes its answer on to the call that it serves.
final class UpstreamConnection: ChannelDuplexHandler, @unchecked Sendable {
    // `@unchecked`: used on its event loop only; closures of that loop's futures hold it.
    typealias InboundIn = ResponsePart
    typealias OutboundIn = Never
    typealias OutboundOut = OutgoingRequestPart

    /// In memory up to here, a body goes into the buffer of the head; in bytes.
    private static let maximumInlineBody = 16 * 1024
    /// From here on a body may fill the pod's receive window; in bytes.
    private static let longBody = 64 * 1024
    /// Interim answers that a pod may send before its final one.
    private static let maximumInformational = 100

    private let pool: UpstreamPool
    private let isSecure: Bool
    private var context: ChannelHandlerContext?
    /// Called once, when the connection is gone.
    var closed: (() -> Void)?
    /// While it is idle: since when, and until when it may be used.
    var idleSince = NIODeadline.uptimeNanoseconds(0)
    var idleDeadline = NIODeadline.uptimeNanoseconds(0)

    private var call: UpstreamCall?
    /// Whether requests may be written: TLS waits for its handshake.
    private var isReady: Bool
    /// Closing it has begun, which over TLS takes a while in which its channel is active still.
    private var isClosing = false
    /// What broke the connection, where something did.
    private var error: (any Error)?
    /// Whether a read was asked for while the receiver takes no more.
    private var isReadHeld = false

    // Of the exchange under way.
    /// Counts the exchanges, so that a late promise knows its own.
    private var exchange = 0
    private var isRequestWritten = false
    /// Whether the whole request is being written at once, and is small enough for an empty socket buffer to take or refuse as one.
    private var isFirstFlush = false
    private var hasPatience = false
    private var upload: SpooledUpload?
    private var hasHead = false
    private var informationalCount = 0
    private var keepsAlive = false
    private var keepAliveTime = TimeAmount.zero
    /// The answer is whole, and the rest of what was read with it is awaited before the connection is used again: bytes that follow an
    /// answer unasked must not become the answer of the next.
    private var isLeaving = false

    init(pool: UpstreamPool, isSecure: Bool) {
        self.pool = pool
        self.isSecure = isSecure
        isReady = !isSecure
    }

    /// Whether a request may be sent on it.
    var isOpen: Bool { !isClosing && context?.channel.isActive ?? false }

    // MARK: The pool's and the call's side

    /// Sends the call's request as soon as the connection is ready, and tells it all that follows.
    func serve(_ call: UpstreamCall) {
        self.call = call
        call.given(self)
        if isReady { send(call) }
    }

    /// Closes it; it is in no pool any more.
    func close() {
        guard !isClosing else { return }
        isClosing = true
        pool.forget(self)
        context?.close(promise: nil)
    }

    /// The call does not want it any more: the pod is to see that nobody waits.
    func abandon() {
        call = nil
        upload = nil
        close()
    }

    func resumeReading() {
        guard isReadHeld else { return }
        isReadHeld = false
        context?.read()
    }

    // MARK: Sending

    private func send(_ call: UpstreamCall) {
        guard let context, isOpen else { return fail(.connectFailed, "the connection has ended") }
        exchange += 1
        isRequestWritten = false
        hasHead = false
        informationalCount = 0
        keepsAlive = false
        call.sendingBegins()
        let request = call.request
        if request.body.byteCount > Self.longBody { setPatience(true) }
        let authority = pool.authority
        switch request.body {
        case .none:
            let bytes = pool.loop.serialise { MessageWriter.writeHead(request, authority: authority, into: &$0) }
            flush(context, request.method, head: bytes)
        case .memory(let body) where body.readableBytes <= Self.maximumInlineBody:
            let bytes = pool.loop.serialise { buffer in
                MessageWriter.writeHead(request, authority: authority, into: &buffer)
                buffer.writeImmutableBuffer(body)
            }
            flush(context, request.method, head: bytes)
        case .memory(let body):
            let bytes = pool.loop.serialise { MessageWriter.writeHead(request, authority: authority, into: &$0) }
            flush(context, request.method, head: bytes, rest: body)
        case .spooled(let body):
            upload = SpooledUpload(body, connection: self, loop: pool.loop)
            upload?.begin()
        }
    }

    /// Writes a whole request with one flush.
    private func flush(
        _ context: ChannelHandlerContext,
        _ method: RequestMethod,
        head: ByteBuffer,
        rest: ByteBuffer? = nil
    ) {
        let promise = lastWrite(context)
        isFirstFlush = rest == nil && head.readableBytes <= Self.maximumInlineBody
        if let rest {
            context.write(wrapOutboundOut(.head(head, method: method)), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.bytes(rest)), promise: promise)
        } else {
            context.writeAndFlush(wrapOutboundOut(.head(head, method: method)), promise: promise)
        }
        isFirstFlush = false
    }

    /// The promise of an exchange's last write.
    private func lastWrite(_ context: ChannelHandlerContext) -> EventLoopPromise<Void> {
        let promise = context.eventLoop.makePromise(of: Void.self)
        let number = exchange
        promise.futureResult.assumeIsolated().whenComplete { result in
            guard number == self.exchange, let call = self.call else { return }
            switch result {
            case .success:
                self.isRequestWritten = true
                self.upload = nil
                call.requestWritten()
            case .failure:
                self.firstFlushFailed(call)
            }
        }
        return promise
    }

    /// A connection that was kept may turn out dead as it is written to. Where that was the first write of a small request, the kernel
    /// took none of it: then the request goes on another connection. Else the end of the connection tells.
    private func firstFlushFailed(_ call: UpstreamCall) {
        guard isFirstFlush, exchange > 1, !hasHead else { return }
        self.call = nil
        close()
        call.startAgain()
    }

    /// TCP_USER_TIMEOUT also ends connections whose peer is alive and takes nothing for that long (tcp(7)), as a pod does that computes
    /// on its only thread while a large body waits: then ``PodsConfiguration/streamIdleTimeout`` is what counts.
    private func setPatience(_ patient: Bool) {
        let configuration = pool.loop.configuration
        let timeout =
            patient
            ? max(configuration.streamIdleTimeout, configuration.tcpUserTimeout) : configuration.tcpUserTimeout
        hasPatience = patient
        try? context?.channel.syncOptions?.setOption(UpstreamPool.userTimeout, value: timeout.forUserTimeout)
    }

    // MARK: Sending from a file: called by SpooledUpload

    /// Whether more may be written now; ``SpooledUpload/more()`` is called when that becomes so.
    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Whether that is the upload under way.
    func isUploading(_ upload: SpooledUpload) -> Bool { self.upload === upload }

    /// Writes a piece of the request's body, the first one after the head.
    func write(_ piece: ByteBuffer, isFirst: Bool, isLast: Bool) {
        guard let context, let call else { return }
        let promise = isLast ? lastWrite(context) : nil
        if isFirst {
            var head = ByteBuffer()
            MessageWriter.writeHead(call.request, authority: pool.authority, into: &head)
            context.write(wrapOutboundOut(.head(head, method: call.request.method)), promise: nil)
        } else {
            call.moved()
        }
        context.writeAndFlush(wrapOutboundOut(.bytes(piece)), promise: promise)
    }

    /// The body cannot be read: what was sent of the request is of no use.
    func uploadFailed(_ error: any Error) { fail(.bodyUnreadable, "the spooled body cannot be read: \(error)") }

    // MARK: The channel's side

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        gone()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            isReady = true
            if let call { send(call) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { upload?.more() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if call?.isReading ?? true {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // Nobody asked for it: unsolicited on an idle connection, or behind an answer.
        guard let call else { return close() }
        switch unwrapInboundIn(data) {
        case .informational(let head):
            informationalCount += 1
            if head.status == 101 { return fail(.invalidAnswer, "101 without being asked to switch protocols") }
            if informationalCount > Self.maximumInformational {
                fail(.invalidAnswer, "more than \(Self.maximumInformational) interim answers")
            }
        case .head(var head, let framing, let keepAlive):
            hasHead = true
            keepsAlive = keepAlive
            if keepAlive { keepAliveTime = self.keepAliveTime(head.fields) }
            HeaderRules.receive(&head)
            call.answerBegins()
            call.receiver?.answerHead(head, framing: framing)
        case .body(let bytes):
            call.moved()
            call.receiver?.answerBody(bytes)
        case .end(let trailers):
            self.call = nil
            upload = nil
            // Where the request is still being sent, its rest has no place on the connection any more.
            isLeaving = keepsAlive && isRequestWritten
            if !isLeaving { close() }
            call.answerEnded(trailers: HeaderRules.trailers(trailers))
        case .invalid(let error):
            // An end in the middle of an answer comes from the codec in this form too.
            if context.channel.isActive, self.error == nil {
                fail(.invalidAnswer, error.description)
            } else {
                fail(.reset, ending ?? error.description)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isLeaving {
            isLeaving = false
            if isOpen {
                if hasPatience { setPatience(false) }
                pool.park(self, for: keepAliveTime)
                resumeReading()
            }
        }
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.error == nil { self.error = error }
        close()
    }

    func channelInactive(context: ChannelHandlerContext) {
        gone()
        context.fireChannelInactive()
    }

    // MARK: Ends

    private func gone() {
        if let closed {
            self.closed = nil
            closed()
        }
        pool.forget(self)
        if !isReady {
            fail(.connectFailed, ending ?? "the pod closed the connection during the TLS handshake")
        } else {
            let moment = hasHead ? "in the middle of its answer" : "before it answered"
            fail(.reset, ending ?? "the pod closed the connection \(moment)")
        }
    }

    private var ending: String? { error.map { "the connection broke: \(NetworkFailure.words(of: $0))" } }

    private func fail(_ kind: PodCallFailure.Kind, _ detail: String) {
        guard let call else { return }
        self.call = nil
        upload = nil
        close()
        call.failed(PodCallFailure(kind, detail))
    }

    /// How long the connection may be idle: as configured, or less where the pod says when it closes (`Keep-Alive: timeout=5`), which a
    /// request must not meet on its way.
    private func keepAliveTime(_ fields: HeaderFields) -> TimeAmount {
        let configured = pool.loop.configuration.upstreamKeepAlive
        var time = configured
        fields.forEach { name, value in
            guard name.count == 10, name.equalsIgnoringCase("keep-alive") else { return }
            value.forEachListMember { member in
                let prefix = "timeout=" as StaticString
                guard member.count > prefix.utf8CodeUnitCount, member.count <= prefix.utf8CodeUnitCount + 9,
                    UnsafeRawBufferPointer(rebasing: member[..<prefix.utf8CodeUnitCount]).equalsIgnoringCase(prefix),
                    let seconds = Int64(String(decoding: member[prefix.utf8CodeUnitCount...], as: UTF8.self)),
                    seconds >= 0
                else { return }
                // A second for the way, and no more than half of it.
                let said = TimeAmount.seconds(seconds)
                time = min(time, said - min(.seconds(1), said / 2))
            }
        }
        return time
    }
}

extension TimeAmount {
    fileprivate static func / (time: TimeAmount, divisor: Int64) -> TimeAmount {
        .nanoseconds(time.nanoseconds / divisor)
    }
}
