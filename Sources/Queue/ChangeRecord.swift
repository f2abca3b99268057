/// What an operator did.
package struct ChangeRecord: Sendable, Equatable {
    package var action: ChangeAction
    /// A route's id, a pod's, a request's, a job's; nil where it is the gateway as a whole.
    package var subject: String?
    /// The operator's value before; nil where there was none.
    package var from: String?
    package var to: String?

    package init(_ action: ChangeAction, of subject: String?, from: String? = nil, to: String? = nil) {
        self.action = action
        self.subject = subject
        self.from = from
        self.to = to
    }
}

/// The word for what an operator did. Open, since a newer program may have written words that this one does not know.
package struct ChangeAction: RawRepresentable, Sendable, Hashable {
    package var rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package static let holdTimeout = ChangeAction(rawValue: "hold_timeout")
    package static let maxConcurrency = ChangeAction(rawValue: "max_concurrency")
    package static let pause = ChangeAction(rawValue: "pause")
    package static let resume = ChangeAction(rawValue: "resume")
    package static let drain = ChangeAction(rawValue: "drain")
    package static let undrain = ChangeAction(rawValue: "undrain")
    package static let reset = ChangeAction(rawValue: "reset")
    package static let cancel = ChangeAction(rawValue: "cancel")
    package static let replay = ChangeAction(rawValue: "replay")
    package static let replayJob = ChangeAction(rawValue: "replay_job")
    package static let purge = ChangeAction(rawValue: "purge")
    package static let backup = ChangeAction(rawValue: "backup")
}

/// Who did it, and from where.
package struct ChangeAuthor: Sendable, Equatable {
    /// The token's name: `admin`, `session` (a login), or `none` where no token is asked for.
    package var name: String
    /// The address that the call came from.
    package var client: String

    package init(name: String, client: String) {
        self.name = name
        self.client = client
    }
}

/// A change as it was recorded.
package struct RecordedChange: Sendable, Equatable {
    /// In the order in which they were made.
    package var id: Int64
    /// Since 1970.
    package var milliseconds: Int64
    package var change: ChangeRecord
    package var author: ChangeAuthor
}
