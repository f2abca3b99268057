import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP server on 127.0.0.1: tells what it was sent, and answers what the test says.
final class SmallServer: Sendable {
    struct Request: Sendable {
        var head: HTTPRequestHead
        var body: String
    }

    struct Answer: Sendable {
        var status = HTTPResponseStatus.ok
        var body = ""
    }

    /// What it was sent, in order.
    let requests: AsyncStream<Request>
    private let continuation: AsyncStream<Request>.Continuation
    private let channel: any Channel

    /// - Parameter answer: nil for a request that is never answered.
    init(group: any EventLoopGroup, answer: @escaping @Sendable (Request) -> Answer?) async throws {
        (requests, continuation) = AsyncStream.makeStream(of: Request.self)
        channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { [continuation] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(continuation, answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    var url: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)" }

    func stop() async throws {
        continuation.finish()
        try await channel.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let continuation: AsyncStream<Request>.Continuation
        private let answer: @Sendable (Request) -> Answer?
        private var request: Request?

        init(_ continuation: AsyncStream<Request>.Continuation, _ answer: @escaping @Sendable (Request) -> Answer?) {
            self.continuation = continuation
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): request = Request(head: head, body: "")
            case .body(let bytes): request?.body += String(buffer: bytes)
            case .end:
                guard let request else { return }
                continuation.yield(request)
                guard let answer = answer(request) else { return }
                var head = HTTPResponseHead(version: .http1_1, status: answer.status)
                head.headers.add(name: "Content-Length", value: "\(answer.body.utf8.count)")
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: answer.body)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }
}
