import Core
import Glibc
import HTTP
import NIOCore
import NIOPosix

/// The connections of one event loop to one pod.
final class UpstreamPool: @unchecked Sendable {
    // `@unchecked`: used on the loop only, but for the constants.
    let pod: Pod
    let loop: UpstreamLoop
    /// What `Host` is where the client sent none.
    let authority: String
    private let address: SocketAddress?

    /// The one used last at the end: the rest may become old and be closed.
    private var idle: [UpstreamConnection] = []
    /// Connections that are idle, in use or coming about.
    private var count = 0

    init(pod: Pod, loop: UpstreamLoop) {
        self.pod = pod
        self.loop = loop
        authority = pod.description.authority
        address = try? SocketAddress(ipAddress: pod.description.host, port: pod.description.port)
    }

    var isEmpty: Bool { count == 0 }

    // MARK: Idle connections

    /// Takes the idle connection that was used last, where it may be used for this request.
    func take(mayReuseIdle: Bool, now: NIODeadline) -> UpstreamConnection? {
        guard let connection = idle.last, connection.idleDeadline > now,
            mayReuseIdle || now - connection.idleSince < loop.configuration.freshIdleTime
        else { return nil }
        idle.removeLast()
        return connection
    }

    /// Keeps a connection whose exchange is over, or closes it where enough are kept.
    func park(_ connection: UpstreamConnection, for time: TimeAmount) {
        let maximum = loop.configuration.maximumIdleConnections
        guard time > .zero, idle.count < maximum else { return connection.close() }
        let now = loop.now()
        connection.idleSince = now
        connection.idleDeadline = now + time
        idle.append(connection)
        loop.tickLater()
    }

    /// An idle connection ended.
    func forget(_ connection: UpstreamConnection) {
        if let index = idle.lastIndex(where: { $0 === connection }) { idle.remove(at: index) }
    }

    /// Closes what has been idle for too long.
    func sweep(_ now: NIODeadline) {
        guard idle.contains(where: { $0.idleDeadline <= now }) else { return }
        let late = idle.filter { $0.idleDeadline <= now }
        idle.removeAll { $0.idleDeadline <= now }
        for connection in late { connection.close() }
    }

    /// Closes all that are idle.
    func closeIdle() {
        let closing = idle
        idle = []
        for connection in closing { connection.close() }
    }

    // MARK: New connections

    /// Connects for a call, which begins when the connection is ready and fails where it does not come about.
    func connect(for call: UpstreamCall) {
        count += 1
        let bootstrap = bootstrap()
        let future: EventLoopFuture<any Channel>
        if let address {
            future = bootstrap.connect(to: address)
        } else {
            future = bootstrap.connect(host: pod.description.host, port: pod.description.port)
        }
        future.hop(to: loop.eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .failure(let error):
                self.count -= 1
                let failure = ConnectFailure(error)
                // What idles has a descriptor, and a port, that the next may have.
                if failure.isShortage { self.loop.closeIdle() }
                call.connectFailed(failure.words(to: self.authority), isOurs: failure.isShortage)
            case .success(let channel):
                let connection = try? channel.pipeline.syncOperations.handler(type: UpstreamConnection.self)
                guard let connection, connection.isOpen else {
                    self.count -= 1
                    return call.connectFailed("the connection was closed at once")
                }
                connection.closed = { self.count -= 1 }
                guard !call.isOver else { return connection.close() }
                connection.serve(call)
            }
        }
    }

    /// TCP_USER_TIMEOUT, in milliseconds.
    static let userTimeout = ChannelOptions.Types.SocketOption(
        level: .tcp,
        name: NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)
    )

    private func bootstrap() -> ClientBootstrap {
        let configuration = loop.configuration
        let silence = configuration.tcpUserTimeout.forUserTimeout
        // While an answer is computed nothing is unacknowledged: keep-alive probes, from half of the time on, find a node that vanished.
        let probe = max(silence / 4000, 1)
        return ClientBootstrap(group: loop.eventLoop)
            .connectTimeout(configuration.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: probe * 2)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: probe)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 3)
            .channelOption(Self.userTimeout, value: silence)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let isSecure = self.pod.description.scheme == .https
                    if isSecure { try pipeline.addHandler(self.loop.tls.handler(for: self.pod.description)) }
                    try configuration.codec.addClientHandlers(to: pipeline, limits: configuration.messageLimits)
                    try pipeline.addHandler(UpstreamConnection(pool: self, isSecure: isSecure))
                }
            }
    }
}

extension TimeAmount {
    /// Whole milliseconds within what TCP_USER_TIMEOUT takes.
    var forUserTimeout: SocketOptionValue { SocketOptionValue(min(max(nanoseconds / 1_000_000, 1), Int64(CInt.max))) }
}
