import Core
import Glibc
import NIOConcurrencyHelpers

/// `MAX_CONNECTIONS_PER_CLIENT`: how many connections each client has; of one that comes through a trusted proxy, whose connections are
/// the proxy's, how many requests at once.
final class ClientLimit: Sendable {
    let limit: Int
    private let counts = NIOLockedValueBox<[String: Int]>([:])

    init(limit: Int) {
        self.limit = limit
    }

    /// False where it has as many as it may. What was entered is to be left.
    func enter(_ client: String) -> Bool {
        counts.withLockedValue { counts in
            guard counts[client, default: 0] < limit else { return false }
            counts[client, default: 0] += 1
            return true
        }
    }

    func leave(_ client: String) {
        counts.withLockedValue { counts in
            guard let count = counts[client] else { return }
            counts[client] = count > 1 ? count - 1 : nil
        }
    }

    /// What an address counts as: of IPv6 the network of 64 bits, since a client has all addresses of its own to choose from (RFC 4291
    /// §2.5.4); nil where there is none.
    static func client(at address: String) -> String? {
        guard !address.isEmpty else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard address.contains(":"), inet_pton(AF_INET6, address, &bytes) == 1 else { return address }
        return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ".")
    }

    var refusal: ProblemAnswer {
        ProblemAnswer(
            429,
            "too_many_connections",
            "this client has \(limit) connections open already, which is all that one may have",
            retryAfter: 1
        )
    }
}
