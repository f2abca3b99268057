import Core
import NIOCore

/// The client side of the byte-level codec: one handler that lets requests out as they are and parses what is read.
final class BytesResponseHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ResponsePart
    typealias OutboundIn = OutgoingRequestPart
    typealias OutboundOut = ByteBuffer

    private var parser: ResponseParser
    private var isDelivering = false
    /// Why an answer that the end of the connection delimits is not whole after all.
    private var brokenBy: String?
    /// The part that every answer without trailers ends with, boxed once.
    private let boxedEnd = NIOAny(ResponsePart.end(trailers: nil))

    init(limits: MessageLimits) { parser = ResponseParser(limits: limits) }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let bytes, let method):
            parser.expect(method)
            context.write(wrapOutboundOut(bytes), promise: promise)
        case .bytes(let bytes):
            context.write(wrapOutboundOut(bytes), promise: promise)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .output { brokenBy = "the connection was closed from here" }
        context.close(mode: mode, promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        parser.append(unwrapInboundIn(data))
        guard !isDelivering else { return }
        isDelivering = true
        while let part = parser.next() {
            if case .end(trailers: nil) = part {
                context.fireChannelRead(boxedEnd)
            } else {
                context.fireChannelRead(wrapInboundOut(part))
            }
        }
        isDelivering = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        brokenBy = "the connection broke: \(NetworkFailure.words(of: error))"
        context.fireErrorCaught(error)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { finish(context) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(context)
        context.fireChannelInactive()
    }

    private func finish(_ context: ChannelHandlerContext) {
        if let part = parser.finish(problem: brokenBy) { context.fireChannelRead(wrapInboundOut(part)) }
    }
}
