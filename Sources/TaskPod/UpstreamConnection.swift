import HTTP
import NIOCore

/// Who takes the parts of a server's answer, on the connection's event loop.
protocol UpstreamReceiver: AnyObject {
    func answerPart(_ part: ResponsePart)
    /// What came at once has been handed over.
    func answerFlush()
    /// Whether the server takes more of the request.
    func upstreamWritable(_ isWritable: Bool)
    /// The connection has ended.
    func upstreamClosed()
}

/// A connection to the server behind a sidecar.
final class UpstreamConnection: ChannelInboundHandler {
    typealias InboundIn = ResponsePart
    typealias OutboundOut = OutgoingRequestPart

    private var context: ChannelHandlerContext?
    /// Whose answer comes; nil while the connection is idle.
    private var receiver: (any UpstreamReceiver)?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func begin(_ receiver: any UpstreamReceiver) { self.receiver = receiver }

    /// From now on nobody listens: the connection is idle, or about to be closed.
    func leave() { receiver = nil }

    func send(_ part: OutgoingRequestPart) {
        context?.writeAndFlush(wrapOutboundOut(part), promise: nil)
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func setReading(_ isReading: Bool) {
        try? context?.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    func close() { context?.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let receiver else {
            // What nobody asked for: the connection is of no more use.
            return context.close(promise: nil)
        }
        receiver.answerPart(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.answerFlush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        receiver?.upstreamWritable(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let receiver = receiver
        self.receiver = nil
        receiver?.upstreamClosed()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
