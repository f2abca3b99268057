/// What the operators' listener goes by.
package struct AdminConfiguration: Sendable {
    /// `ADMIN_HOST`.
    package var host = "127.0.0.1"
    /// `ADMIN_PORT`; 0 for any free one.
    package var port = 9090
    /// Bearer tokens that may do everything. Empty: no token is asked for, which ``AdminServer`` allows on loopback only.
    package var tokens: [String] = []
    /// Bearer tokens that may look, but see no bodies and change nothing.
    package var readTokens: [String] = []
    /// `ADMIN_ALLOWED_HOSTS`: names that a request may give in `Host` beside those of loopback; without ports.
    package var allowedHosts: [String] = []

    package init() {}

    /// Whether anything but this machine can reach the listener.
    package var isLoopback: Bool { HostRule.isLoopback(host) }
}

/// Why the operators' listener does not start.
package struct AdminError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// It would be open to the network without a token.
        case tokenMissing
        /// The address is taken, or not one of this machine's.
        case cannotBind
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    package var description: String { cause.map { "\(message): \($0)" } ?? message }
}
