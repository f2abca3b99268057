import Core
import NIOCore

/// The server side of the byte-level codec: one handler that parses what is read and stops where it is told to.
final class BytesRequestHandler: ChannelDuplexHandler, RequestFlowSource {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = RequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let flow: RequestFlow
    private var parser: RequestParser
    private var isDelivering = false
    private var readIsHeld = false
    /// The input ended behind what is held.
    private var heldEnd = false
    private var context: ChannelHandlerContext?

    /// The part that every request without trailers ends with, boxed once.
    private static let end = RequestPart.end(trailers: nil)
    private let boxedEnd = NIOAny(BytesRequestHandler.end)

    init(flow: RequestFlow, limits: MessageLimits) {
        self.flow = flow
        parser = RequestParser(limits: limits)
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
        parser.append(unwrapInboundIn(data))
        deliver(context)
    }

    func read(context: ChannelHandlerContext) {
        if flow.isPaused, parser.heldBytes >= RequestFlow.heldBytesBound { readIsHeld = true } else { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        heldEnd = true
        finishInput(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // Nobody is left to answer: what is held is dropped.
        _ = parser.finish()
        context.fireChannelInactive()
    }

    var holdsBytes: Bool { parser.heldBytes > 0 }

    func flowResumed() {
        guard !isDelivering, let context else { return }
        deliver(context)
        finishInput(context)
        if readIsHeld, !flow.isPaused {
            readIsHeld = false
            context.read()
        }
        context.fireChannelReadComplete()
    }

    private func deliver(_ context: ChannelHandlerContext) {
        guard !isDelivering else { return }
        isDelivering = true
        while !flow.isPaused, let part = parser.next() {
            if case .end(trailers: nil) = part {
                context.fireChannelRead(boxedEnd)
            } else {
                context.fireChannelRead(wrapInboundOut(part))
            }
        }
        isDelivering = false
    }

    /// Tells the end of the input once everything before it was delivered.
    private func finishInput(_ context: ChannelHandlerContext) {
        guard heldEnd, !flow.isPaused, !isDelivering else { return }
        heldEnd = false
        if let part = parser.finish() { context.fireChannelRead(wrapInboundOut(part)) }
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    }
}
