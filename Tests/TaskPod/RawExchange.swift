import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Bytes against a port, without a codec.
enum RawExchange {
    /// Writes bytes and reads until the other side closes.
    static func run(_ text: String, port: Int, group: any EventLoopGroup) async throws -> String {
        String(buffer: try await bytes(text, port: port, group: group))
    }

    /// The same for an answer that is no text.
    static func bytes(_ text: String, port: Int, group: any EventLoopGroup) async throws -> ByteBuffer {
        let promise = group.next().makePromise(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(promise))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try await channel.writeAndFlush(ByteBuffer(string: text))
        return try await promise.futureResult.get()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let promise: EventLoopPromise<ByteBuffer>
        private var collected = ByteBuffer()

        init(_ promise: EventLoopPromise<ByteBuffer>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            collected.writeImmutableBuffer(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) { promise.succeed(collected) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// A server that answers the same bytes to whatever it reads, and perhaps closes then.
final class ScriptedServer: Sendable {
    private let listener: any Channel
    private let count: NIOLockedValueBox<Int>

    convenience init(answer: String, thenCloses: Bool) async throws {
        try await self.init(answer: ByteBuffer(string: answer), thenCloses: thenCloses)
    }

    init(answer: ByteBuffer, thenCloses: Bool) async throws {
        let count = NIOLockedValueBox(0)
        self.count = count
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                count.withLockedValue { $0 += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answerer(answer, thenCloses: thenCloses))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    var port: Int { listener.localAddress!.port! }

    /// How many were accepted so far.
    var connections: Int { count.withLockedValue { $0 } }

    func close() async { try? await listener.close() }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let answer: ByteBuffer
        private let thenCloses: Bool

        init(_ answer: ByteBuffer, thenCloses: Bool) {
            self.answer = answer
            self.thenCloses = thenCloses
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(answer), promise: nil)
            if thenCloses { context.close(promise: nil) }
        }
    }
}
