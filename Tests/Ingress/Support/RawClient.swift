import NIOCore
import NIOPosix

/// A client that sends the bytes that it is told and keeps what comes back.
final class RawClient: Sendable {
    struct State: Sendable {
        var bytes = ""
        var isClosed = false
        var wasReset = false
    }

    struct Answer: Sendable {
        var status: Int
        var head: String
        var body: String

        func field(_ name: String) -> String? {
            for line in head.split(separator: "\r\n").dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                if parts[0].lowercased() == name.lowercased() {
                    return parts[1].drop(while: { $0 == " " }).description
                }
            }
            return nil
        }
    }

    let channel: any Channel
    private let state: Watched<State>

    /// - Parameter receiveBuffer: SO_RCVBUF, to have a client that soon takes no more.
    init(_ port: Int, reads: Bool = true, receiveBuffer: Int? = nil) async throws {
        let state = Watched(State())
        self.state = state
        var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.autoRead, value: reads)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(state: state))
                }
            }
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: receiveBuffer)
        }
        channel = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func send(bytes count: Int) async throws {
        try await channel.writeAndFlush(ByteBuffer(repeating: UInt8(ascii: "x"), count: count)).get()
    }

    /// Whole text up to and with `end`, taken out of what came.
    func text(through end: String) async -> String {
        await state.take { state in
            guard let range = state.bytes.firstRange(of: end) else { return nil }
            let text = String(state.bytes[..<range.upperBound])
            state.bytes.removeSubrange(..<range.upperBound)
            return text
        }
    }

    /// The next answer with a Content-Length, or without a body.
    func answer(toHead: Bool = false) async -> Answer {
        await state.take { state in
            guard let end = state.bytes.firstRange(of: "\r\n\r\n") else { return nil }
            var answer = Answer(status: 0, head: String(state.bytes[..<end.lowerBound]), body: "")
            answer.status = Int(answer.head.split(separator: " ")[1])!
            let length = toHead ? 0 : Int(answer.field("content-length") ?? "0")!
            let rest = state.bytes[end.upperBound...].utf8
            guard rest.count >= length else { return nil }
            let bodyEnd = rest.index(rest.startIndex, offsetBy: length)
            answer.body = String(state.bytes[end.upperBound..<bodyEnd])
            state.bytes.removeSubrange(..<bodyEnd)
            return answer
        }
    }

    /// Everything up to the end of the connection; nil where it ended with a reset.
    func rest() async -> String? {
        await state.take { $0.isClosed ? .some($0.wasReset ? nil : $0.bytes) : nil }
    }

    var received: Int { state.now.bytes.utf8.count }

    func read() async throws { try await channel.setOption(.autoRead, value: true).get() }

    func close() async throws { try await channel.close().get() }
}

private final class Collector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    let state: Watched<RawClient.State>

    init(state: Watched<RawClient.State>) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        state.update { $0.bytes += String(buffer: buffer) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { state.update { $0.isClosed = true } }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        state.update { $0.wasReset = true }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { state.update { $0.isClosed = true } }
}
