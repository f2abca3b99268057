package import Core
import Glibc
import HTTP
package import Logging
import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix

/// A task pod that listens: in a process of its own, or in the demo's and the tests'.
package final class TaskPodServer: Sendable {
    package let configuration: TaskPodConfiguration
    /// The port that it listens on.
    package let port: Int
    private let state: PodState
    private let listener: any Channel
    private let connections: ConnectionSet
    private let upstream: UpstreamServer?
    private let logger: Logger

    /// How long connections may take to end once nothing runs any more.
    private static let closingTime = TimeAmount.seconds(5)

    /// Starts to listen.
    /// - Throws: ``TaskPodError`` in words.
    package static func start(
        _ configuration: TaskPodConfiguration,
        group: any EventLoopGroup,
        logger: Logger = Logger(label: "neutrino.pod")
    ) async throws(TaskPodError) -> TaskPodServer {
        if let workers = configuration.workers, workers < 1 || workers > 1_000_000 {
            throw TaskPodError(.configuration, "\(workers) workers are not accepted; 1 to 1000000 are")
        }
        let state = PodState(configuration, eventLoop: group.next())
        let connections = ConnectionSet()
        var upstream: UpstreamServer?
        if case .upstream(let settings) = configuration.work {
            upstream = UpstreamServer(settings, state: state, logger: logger)
        }
        do {
            let listener = try await bootstrap(state, connections, upstream, group)
                .bind(host: configuration.host, port: configuration.port).get()
            upstream?.watch(on: listener.eventLoop)
            return TaskPodServer(configuration, state, listener, connections, upstream, logger)
        } catch {
            state.forget()
            let cause = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            throw TaskPodError(.bind, "cannot listen on \(configuration.host):\(configuration.port): \(cause)")
        }
    }

    private init(
        _ configuration: TaskPodConfiguration,
        _ state: PodState,
        _ listener: any Channel,
        _ connections: ConnectionSet,
        _ upstream: UpstreamServer?,
        _ logger: Logger
    ) {
        self.configuration = configuration
        self.state = state
        self.listener = listener
        self.connections = connections
        self.upstream = upstream
        self.logger = logger
        port = listener.localAddress?.port ?? configuration.port
    }

    private static func bootstrap(
        _ state: PodState,
        _ connections: ConnectionSet,
        _ upstream: UpstreamServer?,
        _ group: any EventLoopGroup
    ) -> ServerBootstrap {
        // What is set on the listener is inherited by what it accepts (tcp(7)). Keep-alive probes find a client whose machine is gone, which
        // would hold the slot of its task.
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(.so_keepalive), value: 1)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 60)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10)
            .serverChannelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 6)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 128 * 1024, high: 512 * 1024))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    connections.add(channel)
                    let pipeline = channel.pipeline.syncOperations
                    let configuration = state.configuration
                    let flow = try configuration.codec.addServerHandlers(to: pipeline, limits: configuration.limits)
                    let handler = PodConnection(pod: state, flow: flow, eventLoop: channel.eventLoop) {
                        connection,
                        head,
                        framing in
                        upstream.map { ForwardedTask.make(connection, head, framing, to: $0) }
                            ?? SimulatedTask.make(connection, head, framing)
                    }
                    try pipeline.addHandler(handler)
                }
            }
    }

    package var name: String { configuration.name }

    /// `http://127.0.0.1:8080`: where clients on this machine find it.
    package var url: String {
        let host = ["0.0.0.0", "::", ""].contains(configuration.host) ? "127.0.0.1" : configuration.host
        return host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
    }

    // MARK: Its account

    package func statistics() -> PodStatistics { state.statistics() }

    /// What is free now.
    package var free: ResourceVector { state.free }

    /// The ids of the requests that it ran, in order; one that ran twice is there twice.
    package func requestIDs() -> [String] { Array(state.history().all) }

    // MARK: The end

    /// Takes nothing new, reports nothing free, finishes what runs, and closes.
    package func drain() async {
        let idle = state.drain()
        connections.drain()
        // Also where it is stopped meanwhile.
        try? await idle.get()
        try? await listener.close()
        upstream?.stop()
        // Answers that are still being written, and connections accepted meanwhile.
        connections.drain()
        let closed = connections.whenEmpty(on: listener.eventLoop)
        let limit = listener.eventLoop.scheduleTask(in: Self.closingTime) { [connections] in connections.close() }
        try? await closed.get()
        limit.cancel()
    }

    /// Ends at once: whatever runs is broken off.
    package func stop() async {
        _ = state.drain()
        try? await listener.close()
        upstream?.stop()
        let closed = connections.whenEmpty(on: listener.eventLoop)
        connections.close()
        try? await closed.get()
        state.forget()
    }
}

/// The open connections of a server.
final class ConnectionSet: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var waiting: [EventLoopPromise<Void>] = []
    }

    private let state = NIOLockedValueBox(State())

    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        state.withLockedValue { $0.channels[id] = channel }
        channel.closeFuture.whenComplete { [self] _ in
            let done = state.withLockedValue { state -> [EventLoopPromise<Void>] in
                state.channels[id] = nil
                guard state.channels.isEmpty else { return [] }
                defer { state.waiting = [] }
                return state.waiting
            }
            for promise in done { promise.succeed() }
        }
    }

    /// Tells each to end after what it has.
    func drain() {
        for channel in all { channel.pipeline.fireUserInboundEventTriggered(PodConnection.DrainEvent()) }
    }

    func close() {
        for channel in all { channel.close(promise: nil) }
    }

    /// Succeeds when there is none.
    func whenEmpty(on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        let isEmpty = state.withLockedValue { state in
            if !state.channels.isEmpty { state.waiting.append(promise) }
            return state.channels.isEmpty
        }
        if isEmpty { promise.succeed() }
        return promise.futureResult
    }

    private var all: [any Channel] { state.withLockedValue { Array($0.channels.values) } }
}
