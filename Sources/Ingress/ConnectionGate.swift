import Core
import Glibc
import Logging
import NIOCore

/// Holds the number of connections within `MAX_CONNECTIONS`.
final class ConnectionGate: Sendable {
    private let shared: IngressShared
    private let loops: [IngressLoop]

    init(shared: IngressShared, loops: [IngressLoop]) {
        self.shared = shared
        self.loops = loops
    }

    /// Makes an accepted channel a client's connection. On its event loop.
    ///
    /// Over the bound, the longest idle connection is closed for it; where none is idle, it is told 503 and closed, and where an
    /// eighth more than the bound is open already, closed without a word.
    func admit(_ channel: any Channel) throws {
        let count = shared.connectionOpened()
        channel.closeFuture.assumeIsolated().whenComplete { [shared] _ in shared.connectionClosed() }
        guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
            preconditionFailure("a connection on an event loop that is not the server's")
        }
        let limit = shared.configuration.maxConnections
        let isWelcome = count <= limit || makeRoom()
        guard isWelcome || count <= limit + limit / 8 + 1 else { throw ChannelError.ioOnClosedChannel }
        try ClientConnection.install(on: channel, loop: loop, isWelcome: isWelcome)
    }

    /// Closes the connection that has been idle longest; false where none is idle. From any thread.
    @discardableResult
    func makeRoom() -> Bool {
        guard let loop = loops.min(by: { $0.oldestIdle < $1.oldestIdle }), loop.oldestIdle != .max else { return false }
        if loop.eventLoop.inEventLoop {
            loop.closeLongestIdle()
        } else {
            loop.eventLoop.execute { loop.closeLongestIdle() }
        }
        return true
    }
}

/// On the listening channel: an `accept` that fails for want of descriptors or memory is tried again a little later. Without the pause the
/// event loop would spin, since the connection that cannot be accepted stays there. A shortage is logged when it begins and when it is
/// over. Used on the listening channel's event loop only.
final class AcceptFailures: ChannelInboundHandler {
    typealias InboundIn = any Channel

    static let pause = TimeAmount.milliseconds(100)
    /// Without a failure for so long, the shortage is over.
    static let calm = TimeAmount.seconds(1)

    private let gate: ConnectionGate
    private let logger: Logger
    private var isShort = false
    private var pauses = 0

    init(gate: ConnectionGate, logger: Logger) {
        self.gate = gate
        self.logger = logger
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, Self.isShortage(error.errnoCode) else {
            logger.debug("accepting a connection failed", metadata: ["error": "\(error)"])
            return
        }
        let channel = context.channel
        // Several may fail in one turn: only the first finds it reading.
        guard let options = channel.syncOptions, (try? options.getOption(.autoRead)) == true else { return }
        if !isShort {
            isShort = true
            logger.warning("connections cannot be accepted for the moment", metadata: ["error": "\(error)"])
        }
        try? options.setOption(.autoRead, value: false)
        gate.makeRoom()
        pauses += 1
        let pause = pauses
        let loop = context.eventLoop.assumeIsolated()
        loop.scheduleTask(in: Self.pause) {
            try? options.setOption(.autoRead, value: true)
        }
        loop.scheduleTask(in: Self.pause + Self.calm) { [self] in
            guard pauses == pause else { return }
            isShort = false
            logger.notice("connections can be accepted again", metadata: ["pauses": "\(pauses)"])
            pauses = 0
        }
    }

    static func isShortage(_ code: CInt) -> Bool {
        [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code)
    }
}
