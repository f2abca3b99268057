import Core
import NIOCore
import NIOHTTP1

/// Between the socket and NIOHTTP1's response decoder: lets pass the bytes and keeps the heads that only told the decoder the method.
final class NIORawRequestEncoder: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = ByteBuffer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .body(.byteBuffer(let bytes)): context.write(wrapOutboundOut(bytes), promise: promise)
        case .head, .body, .end: promise?.succeed()
        }
    }
}

/// Behind NIOHTTP1's response decoder: turns its parts into ours, tells it the methods, and keeps cut answers from looking whole.
final class NIOResponseAdapter: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias InboundOut = ResponsePart
    typealias OutboundIn = OutgoingRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    private let limits: MessageLimits
    /// Of the request whose answer is awaited or under way.
    private var method: RequestMethod?
    private var framing: BodyFraming?
    private var keepsConnection = true
    private var isStopped = false
    /// Why an answer that the end of the connection delimits is not whole after all.
    private var brokenBy: String?

    static func decoder(limits: MessageLimits) -> ByteToMessageHandler<HTTPResponseDecoder> {
        ByteToMessageHandler(
            HTTPResponseDecoder(
                leftOverBytesStrategy: .dropBytes,
                informationalResponseStrategy: .forward,
                limitConfiguration: NIOHTTPDecoderLimitConfiguration(limits)
            )
        )
    }

    init(limits: MessageLimits) { self.limits = limits }

    private static let headHead = HTTPRequestHead(version: .http1_1, method: .HEAD, uri: "/")
    private static let otherHead = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let bytes, let method):
            self.method = method
            // The decoder asks only whether it was HEAD.
            context.write(wrapOutboundOut(.head(method == .head ? Self.headHead : Self.otherHead)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .bytes(let bytes):
            context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .output { brokenBy = "the connection was closed from here" }
        context.close(mode: mode, promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isStopped else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            do throws(MessageError) {
                context.fireChannelRead(wrapInboundOut(try convert(head)))
            } catch {
                stop(context, MessageError(status: 502, error.description))
            }
        case .body(let bytes):
            context.fireChannelRead(wrapInboundOut(.body(bytes)))
        case .end(let trailers):
            if framing == .untilClose, let brokenBy {
                return stop(context, MessageError(status: 502, brokenBy))
            }
            do throws(MessageError) {
                let trailers = try trailers.map { trailers throws(MessageError) in
                    try HeaderFields(checkingTrailers: trailers, limits: limits)
                }
                method = nil
                framing = nil
                isStopped = !keepsConnection
                context.fireChannelRead(wrapInboundOut(.end(trailers: trailers)))
            } catch {
                stop(context, MessageError(status: 502, error.description))
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as HTTPParserError:
            guard !isStopped else { return }
            var refused = MessageError(error)
            refused.status = 502
            stop(context, refused)
        case is NIOHTTPDecoderError:
            guard !isStopped else { return }
            stop(context, .unsolicited)
        case is ByteToMessageDecoderError:
            // Bytes after what was refused.
            break
        default:
            brokenBy = "the connection broke: \(NetworkFailure.words(of: error))"
            context.fireErrorCaught(error)
        }
    }

    private func stop(_ context: ChannelHandlerContext, _ error: MessageError) {
        isStopped = true
        context.fireChannelRead(wrapInboundOut(.invalid(error)))
    }

    private func convert(_ head: HTTPResponseHead) throws(MessageError) -> ResponsePart {
        guard let method else { throw .unsolicited }
        guard let version = Core.HTTPVersion(head.version) else {
            throw MessageError(status: 502, "a version of HTTP other than 1.0 and 1.1")
        }
        let status = Int(head.status.code)
        guard (100...999).contains(status) else { throw MessageError(status: 502, "a status outside 100 to 999") }
        guard status != 101 else { throw .unaskedUpgrade }
        var facts = FramingFields()
        let fields = try HeaderFields(checking: head.headers, limits: limits, framing: &facts)
        let converted = ResponseHead(status: status, reason: head.status.reasonPhrase, version: version, fields: fields)
        let framing = try facts.answerFraming(status: status, to: method)
        guard status >= 200 else {
            guard facts.keepsConnection(version: version) else { throw .closingInterim }
            return .informational(converted)
        }
        self.framing = framing
        keepsConnection = facts.keepsConnection(version: version) && framing != .untilClose
        return .head(converted, framing: framing, keepAlive: keepsConnection)
    }
}
