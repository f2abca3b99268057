/// What goes wrong when the ingress is set up.
package struct IngressError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// Another process listens there.
        case addressInUse
        /// The address is not one of this machine's, or the name has none.
        case addressUnusable
        /// The port is one that this process may not listen on.
        case notPermitted
        /// `TRUSTED_PROXIES` holds what is no address or block of addresses.
        case invalidTrustedProxy
        /// Listening failed for another reason.
        case cannotListen
        /// A route's rule or operation is unusable, or there are too many of them.
        case invalidRoutes
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        if let cause { "\(message) (\(cause))" } else { message }
    }
}
