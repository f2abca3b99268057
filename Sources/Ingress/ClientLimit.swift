import Core
import NIOConcurrencyHelpers

/// `MAX_CONNECTIONS_PER_CLIENT`: how many connections each client has; of one that comes through a trusted proxy, whose connections are
/// the proxy's, how many requests at once. Clients are told apart by ``Core/AddressBlock/host(of:)``.
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

    var refusal: ProblemAnswer {
        ProblemAnswer(
            429,
            "too_many_connections",
            "this client has \(limit) connections open already, which is all that one may have",
            retryAfter: 1
        )
    }
}
