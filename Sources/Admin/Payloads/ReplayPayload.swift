/// What `POST /admin/api/requests/{id}/replay` may say.
package struct ReplayOrder: Codable, Sendable {
    /// The request may have run and is not idempotent: do it all the same.
    package var confirm: Bool?
    /// Fields in place of the row's: credentials, which are not kept.
    package var headers: [String: String]?

    package init(confirm: Bool? = nil, headers: [String: String]? = nil) {
        self.confirm = confirm
        self.headers = headers
    }

    var fields: [(name: String, value: String)] { (headers ?? [:]).map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 } }
}

/// What `POST /admin/api/requests/{id}/replay` answers.
package struct ReplayPayload: Codable, Sendable {
    package var id: String
    package var replayOf: String
}
