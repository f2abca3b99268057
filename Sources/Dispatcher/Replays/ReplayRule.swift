package import Core
package import NIOCore
package import Queue

/// Why a request is not sent again.
package struct ReplayRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Reason: String, CaseIterable, Sendable {
        /// It waits or runs.
        case notEnded = "not_ended"
        /// Another row stands for it: its newest replay, or what it repeats itself. Of bulk replays only.
        case alreadyReplayed = "already_replayed"
        /// It was refused at the door: nothing of it was kept.
        case neverQueued = "never_queued"
        case bodyMissing = "body_missing"
        case credentialsMissing = "credentials_missing"
        case confirmationNeeded = "confirmation_needed"
        /// Its path is the gateway's own, or the pods' own.
        case pathReserved = "path_reserved"
        /// Its row was removed meanwhile.
        case gone
        /// What it is to be changed to cannot be sent.
        case invalid = "bad_request"
    }

    package var reason: Reason
    package var description: String

    package init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }
}

/// Whether a request may be sent again: the one place that decides it, for one and for many.
package enum ReplayRule {
    /// - Parameters:
    ///   - isConfirmed: It may have run and is not idempotent: do it all the same.
    ///   - isOneOfMany: Nobody chose it by itself.
    /// - Returns: Why not; nil where it may.
    package static func refusal(
        of request: ReplayFacts,
        edits: ReplayEdits = .none,
        isConfirmed: Bool,
        isOneOfMany: Bool = false
    ) -> ReplayRefusal? {
        guard request.state.isTerminal else {
            return ReplayRefusal(.notEnded, "request \(request.id) has not ended: it is \(request.state)")
        }
        guard !isOneOfMany || !request.isReplayed else {
            return ReplayRefusal(.alreadyReplayed, "request \(request.id) was replayed, or is a replay that never ran")
        }
        guard request.state != .rejected, let method = edits.method ?? request.method else {
            return ReplayRefusal(
                .neverQueued,
                "request \(request.id) was refused at the door; its fields and body were not kept"
            )
        }
        guard !request.isBodyMissing || edits.body != nil else {
            return ReplayRefusal(
                .bodyMissing,
                "the body of request \(request.id) was removed (LOG_BODY_RETENTION); supply one in `body`"
            )
        }
        // The values of query parameters come back with another path only.
        let supplied = edits.suppliedNames
        let missing = request.withheld.filter { name in
            name.hasPrefix("?") ? edits.target == nil : !supplied.contains(name.lowercased())
        }
        guard missing.isEmpty else {
            return ReplayRefusal(
                .credentialsMissing,
                """
                request \(request.id) came with \(missing.joined(separator: ", ")), which were not kept; supply them in \
                `headers`, those that begin with ? in `path`
                """
            )
        }
        guard !request.mayHaveRun || method.isIdempotent || isConfirmed else {
            return ReplayRefusal(
                .confirmationNeeded,
                """
                request \(request.id) may have run, and \(method.rawValue) is not idempotent; send {"confirm": true} to \
                repeat it
                """
            )
        }
        return nil
    }
}

/// Which route a replay has.
package protocol ReplayRouting: Sendable {
    /// The route of that id, as long as there is one.
    func route(named id: String) -> Route?
    /// The route that a request to this path has; nil where it is not forwarded (``ReplayRefusal/Reason/pathReserved``).
    func route(for target: ByteBuffer, _ method: RequestMethod) -> Route?
    /// Where nothing else fits.
    var fallback: Route { get }
}
