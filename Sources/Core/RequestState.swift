/// Where a request is in its life. The raw values are what the database holds; they never change once released.
package enum RequestState: Int, CaseIterable, Sendable {
    /// Committed, waiting for capacity. No pod has seen it, or each that did refused it untouched.
    case queued = 0
    /// Committed as leased to a pod, forwarding: that pod may have begun.
    case dispatched = 1
    /// A pod answered, and the last byte of the answer was written to the client.
    case completed = 2
    /// A pod took it and broke it, or its attempts are used up.
    case failed = 3
    /// Its hold timeout passed.
    case expired = 4
    /// The client left, or an operator cancelled it.
    case cancelled = 5
    /// The gateway ended while it waited: no pod ever saw it.
    case abandoned = 6
    /// The gateway ended while a pod had it: outcome unknown.
    case interrupted = 7
    /// Refused at the door; never queued.
    case rejected = 8

    /// The one table of legal moves: a request's exchange moves by it, and writes no end that it does not have.
    package func mayBecome(_ next: RequestState) -> Bool {
        switch (self, next) {
        case (.queued, .dispatched), (.queued, .expired), (.queued, .cancelled), (.queued, .abandoned): true
        case (.dispatched, .completed), (.dispatched, .failed), (.dispatched, .queued), (.dispatched, .cancelled),
            (.dispatched, .interrupted):
            true
        default: false
        }
    }

    /// Whether nothing comes after it.
    package var isTerminal: Bool {
        switch self {
        case .queued, .dispatched: false
        case .completed, .failed, .expired, .cancelled, .abandoned, .interrupted, .rejected: true
        }
    }

    /// Makes a move, or refuses an illegal one.
    /// - Throws: ``IllegalMove`` where the table has no such move.
    package mutating func move(to next: RequestState) throws(IllegalMove) {
        guard mayBecome(next) else { throw IllegalMove(from: self, to: next) }
        self = next
    }

    /// The word for it in the API, in logs and in the view `request_log`.
    package var name: String { "\(self)" }

    /// The state of a name, nil for an unknown one.
    package init?(name: String) {
        guard let state = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = state
    }
}

/// A move that ``RequestState/mayBecome(_:)`` does not have: a bug of ours, refused before it reaches a row.
package struct IllegalMove: Error, Equatable, CustomStringConvertible {
    package let from: RequestState
    package let to: RequestState

    package init(from: RequestState, to: RequestState) {
        self.from = from
        self.to = to
    }

    package var description: String { "a request cannot go from \(from) to \(to)" }
}

/// Why a request ended as it did. The raw values are what clients, operators and the database see.
package enum EndReason: String, CaseIterable, Sendable {
    case ok
    case noCapacity = "no_capacity"
    case noPods = "no_pods"
    case exceedsEveryPod = "exceeds_every_pod"
    case queueFull = "queue_full"
    case draining
    case bodyTooLarge = "body_too_large"
    case clientClosed = "client_closed"
    case operatorCancelled = "operator_cancelled"
    case connectFailed = "connect_failed"
    case upstreamTimeout = "upstream_timeout"
    case upstreamReset = "upstream_reset"
    case gatewayEnded = "gateway_ended"
    case storageUnavailable = "storage_unavailable"
}
