package import Core
package import NIOCore
package import NIOPosix

/// Sends requests to pods, each on the event loop of its client.
package final class UpstreamTransport: PodTransport {
    /// - Parameters:
    ///   - group: The loops that ``send(_:to:on:receiver:)`` will be called on.
    ///   - threadPool: Reads spooled bodies.
    /// - Throws: A ``PodsError`` where the certificate file cannot be read.
    package init(
        configuration: PodsConfiguration,
        group: any EventLoopGroup,
        threadPool: NIOThreadPool = .singleton
    ) throws(PodsError) {}

    package func send(
        _ request: OutboundRequest,
        to pod: Pod,
        on eventLoop: any EventLoop,
        receiver: any PodAnswerReceiver
    ) -> any PodCall { fatalError("comes with a later commit") }
}
