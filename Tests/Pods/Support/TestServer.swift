import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// A small HTTP/1.1 server of raw bytes on 127.0.0.1: it reads requests as far as a test needs, and answers what the test says, byte
/// for byte.
final class TestServer: Sendable {
    /// A request, and the connection that it came on.
    struct Exchange: Sendable {
        /// Counts the server's connections from 0.
        let connection: Int
        /// Counts the requests of this connection from 0.
        let index: Int
        /// Start line and fields, as they came.
        let head: String
        let body: [UInt8]
        let channel: any Channel

        var requestLine: String { String(head.prefix { $0 != "\r\n" }) }
        var path: String { String(requestLine.split(separator: " ")[1]) }

        func write(_ text: String) { channel.writeAndFlush(ByteBuffer(string: text), promise: nil) }
        func close() { channel.close(promise: nil) }

        /// A whole answer with Content-Length.
        func answer(_ body: String = "ok", status: String = "200 OK", fields: String = "") {
            write("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)")
        }
    }

    /// When a test wants to be asked.
    enum Moment {
        /// With the whole body.
        case wholeRequest
        /// As soon as the head is there; the body is read and counted, not kept.
        case head
        /// As soon as the head is there; the body is not read.
        case headThenNoReading
    }

    private struct State {
        var connections: [any Channel] = []
        var accepted = 0
        var bodyBytes = 0
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var closed = 0
        var closeWaiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    let port: Int
    private let channel: any Channel
    private let state: NIOLockedValueBox<State>

    init(
        tls: NIOSSLContext? = nil,
        port: Int = 0,
        moment: Moment = .wholeRequest,
        onConnection: @escaping @Sendable (any Channel) -> Void = { _ in },
        handler: @escaping @Sendable (Exchange) -> Void
    ) async throws {
        let state = NIOLockedValueBox(State())
        self.state = state
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let number = state.withLockedValue { state in
                        state.connections.append(channel)
                        state.accepted += 1
                        return state.accepted - 1
                    }
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(
                        Connection(number: number, moment: moment, state: state, handler: handler)
                    )
                    onConnection(channel)
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        self.port = channel.localAddress!.port!
    }

    var pod: PodDescription { PodDescription(host: "127.0.0.1", port: port) }
    /// Connections accepted so far.
    var accepted: Int { state.withLockedValue { $0.accepted } }
    /// Bytes of request bodies read so far.
    var bodyBytes: Int { state.withLockedValue { $0.bodyBytes } }

    /// Connections that were closed by either side so far.
    var closedCount: Int { state.withLockedValue { $0.closed } }

    /// Waits until that many connections were closed by either side.
    func closed(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLockedValue { state in
                if state.closed >= count { return true }
                state.closeWaiters.append((count, continuation))
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Stops listening and closes all connections.
    func stop() async throws {
        try await channel.close()
        for channel in state.withLockedValue({ $0.connections }) { channel.close(promise: nil) }
    }

    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let number: Int
        let moment: Moment
        let state: NIOLockedValueBox<State>
        let handler: @Sendable (Exchange) -> Void
        var bytes = ByteBuffer()
        var index = 0
        /// What is left of a body that is only counted.
        var toCount = 0

        init(
            number: Int,
            moment: Moment,
            state: NIOLockedValueBox<State>,
            handler: @escaping @Sendable (Exchange) -> Void
        ) {
            self.number = number
            self.moment = moment
            self.state = state
            self.handler = handler
        }

        func channelInactive(context: ChannelHandlerContext) {
            let done = state.withLockedValue { state in
                state.closed += 1
                let closed = state.closed
                let done = state.closeWaiters.filter { $0.count <= closed }
                state.closeWaiters.removeAll { $0.count <= closed }
                return done
            }
            for waiter in done { waiter.continuation.resume() }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var part = unwrapInboundIn(data)
            bytes.writeBuffer(&part)
            while step(context) {}
        }

        private func step(_ context: ChannelHandlerContext) -> Bool {
            if toCount > 0 {
                let counted = min(toCount, bytes.readableBytes)
                bytes.moveReaderIndex(forwardBy: counted)
                bytes.discardReadBytes()
                toCount -= counted
                state.withLockedValue { $0.bodyBytes += counted }
                return toCount == 0 && bytes.readableBytes > 0
            }
            let view = bytes.readableBytesView
            guard let end = view.firstRange(of: "\r\n\r\n".utf8) else { return false }
            let head = String(decoding: view[..<end.lowerBound], as: UTF8.self)
            let length =
                head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                .flatMap { Int($0.dropFirst(15).filter { $0 != " " }) } ?? 0
            let headLength = end.upperBound - view.startIndex
            var body: [UInt8] = []
            switch moment {
            case .wholeRequest:
                guard bytes.readableBytes >= headLength + length else { return false }
                bytes.moveReaderIndex(forwardBy: headLength)
                body = bytes.readBytes(length: length)!
                state.withLockedValue { $0.bodyBytes += length }
            case .head:
                bytes.moveReaderIndex(forwardBy: headLength)
                toCount = length
            case .headThenNoReading:
                // Whoever turns reading on again has the rest counted.
                bytes.moveReaderIndex(forwardBy: headLength)
                toCount = .max
                context.channel.setOption(.autoRead, value: false).whenFailure { _ in }
            }
            bytes.discardReadBytes()
            let exchange = Exchange(
                connection: number,
                index: index,
                head: head,
                body: body,
                channel: context.channel
            )
            index += 1
            handler(exchange)
            return bytes.readableBytes > 0
        }
    }
}

extension TestServer {
    /// Bytes that repeat only after 251: what is lost, doubled or moved shows.
    static let pattern = [UInt8](unsafeUninitializedCapacity: 1 << 20) { bytes, count in
        for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: index % 251) }
        count = bytes.count
    }

    static func pattern(_ size: Int) -> [UInt8] { Array(pattern[..<size]) }
}
