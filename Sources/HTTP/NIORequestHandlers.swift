import Core
import NIOCore
import NIOHTTP1

/// In front of NIOHTTP1's request decoder, which cannot be stopped: keeps what is read from it while the flow is paused.
final class NIORequestGate: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let flow: RequestFlow
    private(set) var held = ByteBuffer()
    /// The input ended behind what is held.
    private var heldEnd: ChannelEvent?
    private var readIsHeld = false
    private(set) var startsWithToken = true
    private var sawFirstByte = false
    private var context: ChannelHandlerContext?

    init(flow: RequestFlow) { self.flow = flow }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if !sawFirstByte, let first = bytes.getInteger(at: bytes.readerIndex, as: UInt8.self) {
            sawFirstByte = true
            startsWithToken = ByteClass.table[Int(first)] & ByteClass.token != 0
        }
        guard flow.isPaused || held.readableBytes > 0 else { return context.fireChannelRead(data) }
        if held.readableBytes == 0 { held = bytes } else { held.writeBuffer(&bytes) }
    }

    func read(context: ChannelHandlerContext) {
        if held.readableBytes >= RequestFlow.heldBytesBound { readIsHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let end = event as? ChannelEvent, end == .inputClosed, held.readableBytes > 0 {
            heldEnd = end
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// Gives what is held to the decoder.
    func release() {
        guard let context, held.readableBytes > 0 else { return }
        let bytes = held
        held = ByteBuffer()
        context.fireChannelRead(wrapInboundOut(bytes))
        if let end = heldEnd {
            heldEnd = nil
            context.fireUserInboundEventTriggered(end)
        }
        if readIsHeld {
            readIsHeld = false
            context.read()
        }
    }
}

/// Behind NIOHTTP1's request decoder: turns its parts into ours and refuses what llhttp lets pass but we do not.
final class NIORequestAdapter: ChannelInboundHandler, RequestFlowSource {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = RequestPart

    private let flow: RequestFlow
    private let gate: NIORequestGate
    private let limits: MessageLimits
    /// Parts that were decoded from one read before the flow was paused in the middle of it.
    private var held = CircularBuffer<RequestPart>()
    /// Nothing more is taken: after what is invalid, or after the last request of the connection.
    private var isStopped = false
    private var endsConnection = false
    private var isDelivering = false
    /// The input ended behind what is held.
    private var heldEnd: ChannelEvent?
    private var context: ChannelHandlerContext?

    static func decoder(limits: MessageLimits) -> ByteToMessageHandler<HTTPRequestDecoder> {
        ByteToMessageHandler(
            HTTPRequestDecoder(
                leftOverBytesStrategy: .dropBytes,
                informationalResponseStrategy: .forward,
                limitConfiguration: NIOHTTPDecoderLimitConfiguration(limits)
            )
        )
    }

    init(flow: RequestFlow, gate: NIORequestGate, limits: MessageLimits) {
        self.flow = flow
        self.gate = gate
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        flow.source = self
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        flow.source = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isStopped else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            do throws(MessageError) {
                try deliver(convert(head))
            } catch {
                stop(error)
            }
        case .body(let bytes):
            deliver(.body(bytes))
        case .end(let trailers):
            do throws(MessageError) {
                let trailers = try trailers.map { trailers throws(MessageError) in
                    try HeaderFields(checkingTrailers: trailers, limits: limits)
                }
                isStopped = endsConnection
                deliver(.end(trailers: trailers))
            } catch {
                stop(error)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as HTTPParserError:
            // At the end of the connection there is nobody to tell: `channelInactive` follows.
            guard !isStopped, context.channel.isActive else { return }
            let isGarbage = error == .invalidMethod && !gate.startsWithToken
            stop(isGarbage ? MessageError("not an HTTP request") : MessageError(error))
        case is ByteToMessageDecoderError:
            // Bytes after what was refused.
            break
        default:
            context.fireErrorCaught(error)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let end = event as? ChannelEvent, end == .inputClosed, !held.isEmpty {
            heldEnd = end
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    var holdsBytes: Bool { !held.isEmpty || gate.held.readableBytes > 0 }

    func flowResumed() {
        guard !isDelivering, let context else { return }
        isDelivering = true
        while !flow.isPaused, let part = held.popFirst() { context.fireChannelRead(wrapInboundOut(part)) }
        isDelivering = false
        if held.isEmpty, let end = heldEnd {
            heldEnd = nil
            context.fireUserInboundEventTriggered(end)
        }
        if !flow.isPaused { gate.release() }
        context.fireChannelReadComplete()
    }

    private func stop(_ error: MessageError) {
        isStopped = true
        deliver(.invalid(error))
    }

    private func deliver(_ part: RequestPart) {
        guard let context else { return }
        guard !flow.isPaused, held.isEmpty else { return held.append(part) }
        isDelivering = true
        context.fireChannelRead(wrapInboundOut(part))
        isDelivering = false
    }

    private func convert(_ head: HTTPRequestHead) throws(MessageError) -> RequestPart {
        // NIOHTTP1 writes this one without its hyphen.
        let name = head.method == .MSEARCH ? RequestMethod.msearch.rawValue : head.method.rawValue
        guard let method = RequestMethod(rawValue: name) else {
            throw MessageError(status: head.method == .RAW(value: "PRI") ? 505 : 501, "an unknown method")
        }
        guard let version = Core.HTTPVersion(head.version) else {
            throw MessageError(status: 505, "a version of HTTP other than 1.0 and 1.1")
        }
        var facts = FramingFields()
        let startLine = head.uri.utf8.count + head.method.rawValue.utf8.count + 12
        let fields = try HeaderFields(checking: head.headers, limits: limits, headBytes: startLine, framing: &facts)
        let framing = try facts.requestFraming(version: version)
        let target = ByteBuffer(string: head.uri)
        var converted = RequestHead(method: method, target: target, version: version, fields: fields)
        var form: Result<RequestTarget.Form, MessageError> = .success(.origin)
        target.withUnsafeReadableBytes { bytes in
            form = Result { () throws(MessageError) in try RequestTarget.form(of: bytes, method: method) }
        }
        if case .absolute(let authority) = try form.get() {
            RequestTarget.normalise(&converted, authority: authority)
        }
        endsConnection = !facts.keepsConnection(version: version)
        if !endsConnection, facts.upgrades {
            // llhttp stops after a request that asks for an upgrade, whether it is granted or not: the connection ends with it.
            converted.fields.append("Connection", "close")
            endsConnection = true
        }
        return .head(converted, framing: framing)
    }
}
