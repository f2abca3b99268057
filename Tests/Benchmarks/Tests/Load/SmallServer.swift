import Load
import NIOCore
import NIOPosix

/// A server on a free port that answers each request after a while, as its behaviour says.
struct SmallServer {
    enum Behaviour: Sendable {
        /// Each answer comes this long after its request.
        case after(TimeAmount)
        /// Nothing is answered before a time; what came until then is answered at once then.
        case stallsUntil(NIODeadline)
        /// Each answer ends its connection.
        case closes
    }

    let target: Target
    private let channel: any Channel

    static func run<Result>(_ behaviour: Behaviour, _ body: (Target) async throws -> Result) async throws -> Result {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(behaviour))
                }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        let result = try await body(Target("127.0.0.1:\(channel.localAddress?.port ?? 0)"))
        try await channel.close()
        return result
    }

    /// Takes every read that ends with an empty line for a request: those of the tests have no bodies.
    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let behaviour: Behaviour

        init(_ behaviour: Behaviour) { self.behaviour = behaviour }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let loop = context.eventLoop.assumeIsolated()
            switch behaviour {
            case .after(let delay): loop.scheduleTask(in: delay) { self.answer(context) }
            case .stallsUntil(let end): loop.scheduleTask(deadline: end) { self.answer(context) }
            case .closes:
                answer(context, fields: "Connection: close\r\n")
                context.close(promise: nil)
            }
        }

        private func answer(_ context: ChannelHandlerContext, fields: String = "") {
            let bytes = ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\(fields)\r\nok")
            context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        }
    }
}
