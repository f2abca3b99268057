import Queue

/// What `GET /admin/api/changes` answers: what operators did, newest first.
package struct ChangesPayload: Codable, Sendable {
    package struct Change: Codable, Sendable {
        package var id: Int64
        package var at: String
        /// `hold_timeout`, `pause`, `drain`, …
        package var action: String
        /// A route's id, a pod's, a request's, a job's; absent where it is the gateway as a whole.
        package var subject: String?
        /// The operator's value before; absent where there was none.
        package var from: String?
        package var to: String?
        /// The address that the call came from.
        package var client: String
        /// The token's name: `admin`, `session` (a login), or `none` where no token is asked for.
        package var by: String

        init(_ recorded: RecordedChange) {
            id = recorded.id
            at = RequestSummaryPayload.time(recorded.milliseconds)
            action = recorded.change.action.rawValue
            subject = recorded.change.subject
            from = recorded.change.from
            to = recorded.change.to
            client = recorded.author.client
            by = recorded.author.name
        }
    }

    package var changes: [Change]
    /// `before` of the next page; absent at the end.
    package var next: Int64?

    init(_ page: ChangePage) {
        changes = page.changes.map(Change.init)
        next = page.next
    }
}
