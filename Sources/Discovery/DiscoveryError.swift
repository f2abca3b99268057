/// Why pods cannot be discovered. What it comes from is part of its words.
package struct DiscoveryError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// A list of backends, a file, a setting: nothing that starts with it would work.
        case invalidConfiguration
        /// A file cannot be read, or says what cannot be.
        case invalidFile
        /// Nobody answers: no connection, no TLS, no answer in time, a connection that broke.
        case unreachable
        /// Somebody answers, and a certificate is not believed: the server's here, or ours there.
        case untrusted
        /// 401: who the gateway says it is, is not believed.
        case unauthorized
        /// 403: it is believed, and may not.
        case forbidden
        /// What was asked for is older than what the API server remembers: it must be asked for anew.
        case gone
        /// Another status than 2xx.
        case refused
        /// An answer that cannot be read.
        case invalidAnswer
        /// A watch from which nothing was heard for too long.
        case silent
    }

    package var code: Code
    /// In words, for logs and people. The same for the same cause, so that a change of it is news.
    package var message: String
    /// How long who answered wants to be left alone.
    package var retryAfter: Duration?

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// 410, as a status or in an event.
    /// - Parameter words: The API server's, in which it names the version that it has forgotten: another each time, so it is left out.
    static func gone(_ words: String) -> DiscoveryError {
        let words = words.replacing(/:\ \d+(\ \(\d+\))?/, with: "")
        return DiscoveryError(.gone, "the API server has forgotten where to go on: \(words) (410)")
    }

    package var description: String { message }
}
