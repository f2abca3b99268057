import Core
import Glibc
package import Logging
import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix
package import Queue
import ServiceLifecycle

/// The listener for clients: accepts connections, and drains them at a shutdown.
///
/// Its connections are spread over the loops of the group; each request is handed to the intake on the loop of its connection.
package final class IngressServer: Service {
    private let shared: IngressShared
    private let group: any EventLoopGroup
    private let loops: [IngressLoop]
    private let onDrainTimeout: @Sendable () async -> Void
    let listener = NIOLockedValueBox<(any Channel)?>(nil)

    /// - Parameters:
    ///   - health: What `/ready` answers; written by others, and by this server when it drains.
    ///   - onDrainTimeout: Called when `DRAIN_TIMEOUT` has passed and requests are still unanswered: refuses those that wait.
    package init(
        configuration: IngressConfiguration,
        eventLoopGroup: any EventLoopGroup,
        routes: RouteBook,
        intake: any RequestIntake,
        journal: any RequestJournal,
        spool: BodySpool,
        budget: ByteBudget,
        health: HealthState,
        logger: Logger = Logger(label: "ingress"),
        onDrainTimeout: @escaping @Sendable () async -> Void = {}
    ) {
        let shared = IngressShared(
            configuration: configuration,
            routes: routes,
            intake: intake,
            journal: journal,
            spool: spool,
            budget: budget,
            health: health,
            logger: logger
        )
        self.shared = shared
        group = eventLoopGroup
        loops = eventLoopGroup.makeIterator().map { IngressLoop(eventLoop: $0, shared: shared) }
        self.onDrainTimeout = onDrainTimeout
    }

    /// Where it listens; nil before ``start()`` has returned.
    package var address: SocketAddress? { listener.withLockedValue { $0?.localAddress } }

    /// Connections that are open now.
    package var connections: Int { shared.connections }

    /// Begins to listen. ``run()`` does it where nobody has.
    /// - Throws: ``IngressError``, which names the address and what is wrong with it.
    /// - Returns: The address, with the port that the system chose for 0.
    @discardableResult
    package func start() async throws(IngressError) -> SocketAddress {
        if let channel = listener.withLockedValue({ $0 }) {
            guard channel.isActive, let address = channel.localAddress else { throw .listenerClosed }
            return address
        }
        let configuration = shared.configuration
        for proxy in configuration.trustedProxies where AddressBlock(proxy) == nil {
            throw IngressError(
                .invalidTrustedProxy,
                "\"\(proxy)\" in TRUSTED_PROXIES is no address or block such as 10.0.0.0/8"
            )
        }
        let bootstrap = makeBootstrap()
        do {
            let channel = try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
            listener.withLockedValue { $0 = channel }
            let address = channel.localAddress!
            let place = "\(address.ipAddress ?? ""):\(address.port ?? 0)"
            shared.logger.info("listening for clients", metadata: ["address": "\(place)"])
            return address
        } catch {
            throw IngressError(listeningAt: configuration.host, configuration.port, failed: error)
        }
    }

    /// Listens until a graceful shutdown, then drains: returns when every answer is written, or `DRAIN_TIMEOUT` has passed.
    /// - Throws: ``IngressError`` where it cannot listen, or can no longer.
    package func run() async throws {
        try await start()
        guard let channel = listener.withLockedValue({ $0 }) else { return }
        let end = channel.eventLoop.makePromise(of: Bool.self)
        // The first to say so counts.
        channel.closeFuture.whenComplete { _ in end.succeed(false) }
        let wasShutDown = try await withTaskCancellationHandler {
            try await withGracefulShutdownHandler {
                try await end.futureResult.get()
            } onGracefulShutdown: {
                end.succeed(true)
            }
        } onCancel: {
            end.succeed(true)
        }
        guard wasShutDown else {
            throw IngressError.listenerClosed
        }
        await drain()
    }

    // MARK: Draining

    /// All steps of a shutdown, in their order.
    package func drain() async {
        beginDrain()
        if shared.configuration.drainDelay > .zero {
            try? await Task.sleep(for: shared.configuration.drainDelay)
        }
        refuseRequests()
        if !(await untilAnswered(within: shared.configuration.drainTimeout)) {
            await onDrainTimeout()
            for loop in loops { try? await loop.eventLoop.submit { loop.drainEnded() }.get() }
            _ = await untilAnswered(within: shared.configuration.sendingAfterDrain)
        }
        await closeListener()
        await closeConnections()
    }

    /// `/ready` answers 503, and answers end their connections; requests are still taken.
    package func beginDrain() {
        shared.health.beginDraining()
        shared.advance(to: .draining)
    }

    /// New requests get 503 `draining`; what was taken goes on. The listener stays open, so that who comes meanwhile is told.
    package func refuseRequests() {
        shared.advance(to: .refusing)
    }

    /// Waits until no answer is outstanding; false where one still is when the time has passed, or the task is cancelled.
    package func untilAnswered(within time: Duration) async -> Bool {
        let quiet = loops.map { $0.untilQuiet(within: TimeAmount(time)) }
        return await withTaskCancellationHandler {
            var isQuiet = true
            for future in quiet { isQuiet = (try? await future.get()) == true && isQuiet }
            return isQuiet
        } onCancel: {
            for loop in loops { loop.eventLoop.execute { loop.giveUpWaiting() } }
        }
    }

    /// Takes no more connections.
    package func closeListener() async {
        try? await listener.withLockedValue { $0 }?.close().get()
    }

    /// Closes every connection, idle or not. Requests whose answers are cut by it end as `interrupted`.
    package func closeConnections() async {
        var cut = 0
        for loop in loops { cut += (try? await loop.eventLoop.submit { loop.closeAll() }.get()) ?? 0 }
        // A channel tells its end a turn of its loop after it was closed.
        for loop in loops { try? await loop.eventLoop.submit {}.get() }
        guard cut > 0 else { return }
        shared.logger.warning("answers were cut, since the gateway ends", metadata: ["count": "\(cut)"])
    }

    // MARK: Accepting

    /// What a connection reads at once. The first read's buffer stays with a request while it is held, and most requests are
    /// smaller than the 2 KiB that NIO begins with; it grows as bodies come.
    private static let reads = AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 1024, maximum: 65_536)

    private func makeBootstrap() -> ServerBootstrap {
        let (shared, loops) = (shared, loops)
        let gate = ConnectionGate(shared: shared, loops: loops)
        // What is set on the listener is inherited by what it accepts (tcp(7)), at no call for each connection.
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: CInt(shared.configuration.backlog))
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 60)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 6)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptFailures(gate: gate, logger: shared.logger))
                }
            }
            .childChannelOption(.recvAllocator, value: Self.reads)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try gate.admit(channel) }
            }
    }
}
