/// What went wrong with pods, or on the way to them.
package struct PodsError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// A list of backends, a URL, a certificate file: nothing that starts with it would work.
        case invalidConfiguration
        /// No connection: refused, unreachable, an unknown host.
        case connectFailed
        /// No connection in time, the handshake of TLS included: nothing was sent.
        case connectTimedOut
        /// No TLS: the handshake failed, or a certificate or key of one's own cannot be used.
        case handshakeFailed
        /// The server's certificate is not believed.
        case untrusted
        /// No whole answer in time, or nothing for too long.
        case timedOut
        /// The answer is over its bound.
        case tooLarge
        /// The connection broke, or what came was not HTTP.
        case transferFailed
        /// The answer is not a capacity report.
        case invalidReport
        case cancelled
        /// The client was shut down.
        case closed
    }

    package var code: Code
    /// In words, for logs and people.
    package var message: String
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}
