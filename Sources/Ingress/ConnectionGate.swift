import Core
import Glibc
import Logging
import NIOCore

/// Holds the number of connections within `MAX_CONNECTIONS`, within `MAX_CONNECTIONS_PER_CLIENT`, and within what descriptors there are.
final class ConnectionGate: Sendable {
    private let shared: IngressShared
    private let loops: [IngressLoop]
    let spares = SpareDescriptors()

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
        let client = enter(channel)
        channel.closeFuture.assumeIsolated().whenComplete { [shared] _ in
            shared.connectionClosed()
            if case .entered(let name) = client { shared.clients?.leave(name) }
        }
        guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
            preconditionFailure("a connection on an event loop that is not the server's")
        }
        let limit = shared.configuration.maxConnections
        var refusal: ProblemAnswer?
        if spares.isNeeded() {
            refusal = ProblemAnswer(503, "too_many_connections", "no file descriptor is left", retryAfter: 1)
            channel.closeFuture.whenComplete { [spares] _ in spares.refill() }
        } else if case .full = client {
            refusal = shared.clients?.refusal
        } else if count > limit, !makeRoom() {
            refusal = ProblemAnswer(503, "too_many_connections", "too many connections are open", retryAfter: 1)
        }
        guard refusal == nil || count <= limit + limit / 8 + 1 else { throw ChannelError.ioOnClosedChannel }
        try ClientConnection.install(on: channel, loop: loop, refusal: refusal)
    }

    private enum Entry {
        case notCounted
        case entered(String)
        case full
    }

    /// Counts a connection as its client's. Those of trusted proxies are not counted: their requests are.
    private func enter(_ channel: any Channel) -> Entry {
        guard let clients = shared.clients, let address = channel.remoteAddress,
            !shared.trustedProxies.contains(where: { $0.contains(address) })
        else { return .notCounted }
        let text = AddressBlock.text(of: address)
        guard !text.isEmpty else { return .notCounted }
        let name = AddressBlock.host(of: text)
        return clients.enter(name) ? .entered(name) : .full
    }

    /// Descriptors have run out: closes idle connections, and where there are none, gives up the spare ones.
    /// - Returns: Whether there will be some.
    func relieve() -> Bool {
        var isRelieved = false
        for loop in loops where loop.oldestIdle != .max {
            isRelieved = true
            loop.eventLoop.execute {
                for _ in 0..<Self.closedAtOnce { loop.closeLongestIdle() }
            }
        }
        return isRelieved || spares.giveUp()
    }

    /// Idle connections of a loop that are closed together when descriptors run out: there are likely more to come.
    private static let closedAtOnce = 16

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
    /// Where room was made: until it is there.
    static let shortPause = TimeAmount.milliseconds(5)
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
        guard NetworkFailure.isShortage(error) else {
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
        let time = gate.relieve() ? Self.shortPause : Self.pause
        pauses += 1
        let pause = pauses
        let loop = context.eventLoop.assumeIsolated()
        loop.scheduleTask(in: time) {
            try? options.setOption(.autoRead, value: true)
        }
        loop.scheduleTask(in: Self.pause + Self.calm) { [self] in
            guard pauses == pause else { return }
            isShort = false
            gate.spares.refill()
            logger.notice("connections can be accepted again", metadata: ["pauses": "\(pauses)"])
            pauses = 0
        }
    }
}
