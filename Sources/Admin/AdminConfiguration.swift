package import Core
package import NIOCore

/// What the operators' listener goes by.
package struct AdminConfiguration: Sendable {
    /// `ADMIN_HOST`.
    package var host = "127.0.0.1"
    /// `ADMIN_PORT`; 0 for any free one.
    package var port = 9090
    /// `ADMIN_ALLOWED_HOSTS`: names that a request may give in `Host` beside those of loopback and ``host``; without ports.
    package var allowedHosts: [String] = []
    /// `TRUSTED_PROXIES`: whose `X-Forwarded-*` fields count.
    package var trustedProxies: [AddressBlock] = []
    /// The program's version, which the API tells.
    package var version = ""
    /// Connections at once; others wait to be accepted. They are a small part of the process's file descriptors, so that nobody who
    /// reaches this listener takes them from clients.
    package var maxConnections = 512
    /// For a request to arrive whole, and between two requests of a connection.
    package var idleTimeout = TimeAmount.seconds(60)

    package init() {}

    /// Whether anything but this machine can reach the listener.
    package var isLoopback: Bool { Authority(host: host).isLoopback }

    /// Names that it may be called by, beside those of loopback.
    var names: [String] { ["0.0.0.0", "::"].contains(host) ? allowedHosts : allowedHosts + [host] }
}

/// Why the operators' listener does not start.
package struct AdminError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// It would be open to the network without a token.
        case tokenMissing
        /// The address is taken, or not one of this machine's.
        case cannotBind
        /// The certificate or its key cannot be used.
        case invalidCertificate
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    package var description: String { cause.map { "\(message): \($0)" } ?? message }
}
