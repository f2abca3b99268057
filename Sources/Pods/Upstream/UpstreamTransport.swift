package import Core
import NIOConcurrencyHelpers
package import NIOCore
package import NIOPosix

/// Sends requests to pods by SwiftNIO channel handlers, each on the event loop of its client, over connections that are kept.
///
/// Per loop and pod there is a stack of idle connections, the one used last on top. There is no Task and no future per request but the
/// promise of its last write; timeouts are looked at together, every ``PodsConfiguration/timerGranularity``.
///
/// ``Core/PodAnswerReceiver/requestWritten(at:)`` may come before ``send(_:to:on:receiver:)`` has returned, where a kept connection
/// took the request at once; everything else comes later.
package final class UpstreamTransport: PodTransport {
    private let configuration: PodsConfiguration
    private let threadPool: NIOThreadPool
    /// For https pods.
    package let tls: UpstreamTLS
    private let now: @Sendable () -> NIODeadline
    private let loops: [ObjectIdentifier: UpstreamLoop]
    /// Loops that were not in the group: tests, mostly.
    private let others = NIOLockedValueBox<[ObjectIdentifier: UpstreamLoop]>([:])

    /// - Parameters:
    ///   - group: The loops that ``send(_:to:on:receiver:)`` will be called on.
    ///   - threadPool: Reads spooled bodies.
    ///   - now: What deadlines are measured by.
    /// - Throws: A ``PodsError`` where the certificate file cannot be read.
    package init(
        configuration: PodsConfiguration,
        group: any EventLoopGroup,
        threadPool: NIOThreadPool = .singleton,
        now: @escaping @Sendable () -> NIODeadline = { .now() }
    ) throws(PodsError) {
        self.configuration = configuration
        self.threadPool = threadPool
        self.now = now
        let tls = try UpstreamTLS(
            caFile: configuration.caFile,
            clientCertificate: configuration.clientCertificate,
            serverName: configuration.tlsServerName
        )
        self.tls = tls
        var loops: [ObjectIdentifier: UpstreamLoop] = [:]
        for loop in group.makeIterator() {
            loops[ObjectIdentifier(loop)] = UpstreamLoop(
                loop,
                configuration,
                tls: tls,
                threadPool: threadPool,
                now: now
            )
        }
        self.loops = loops
    }

    package func send(
        _ request: OutboundRequest,
        to pod: Pod,
        on eventLoop: any EventLoop,
        receiver: any PodAnswerReceiver
    ) -> any PodCall {
        eventLoop.assertInEventLoop()
        let call = UpstreamCall(request: request, to: pod, receiver: receiver, loop: state(of: eventLoop))
        call.begin()
        return call
    }

    /// What a loop has of pods.
    func state(of eventLoop: any EventLoop) -> UpstreamLoop {
        if let loop = loops[ObjectIdentifier(eventLoop)] { return loop }
        return others.withLockedValue { others in
            if let loop = others[ObjectIdentifier(eventLoop)] { return loop }
            let loop = UpstreamLoop(eventLoop, configuration, tls: tls, threadPool: threadPool, now: now)
            others[ObjectIdentifier(eventLoop)] = loop
            return loop
        }
    }
}
