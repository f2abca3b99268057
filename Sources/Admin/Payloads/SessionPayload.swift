/// `GET /admin/api/session`: what the caller may do.
package struct SessionPayload: Codable, Sendable {
    /// `full`, `read` or `none`.
    package var role: String
    /// By what right: `admin` and `read` (a token), `session` (a login), `none`.
    package var by: String
    /// Whether a token is asked for at all.
    package var loginRequired: Bool
    /// Of a login, in seconds.
    package var endsIn: Double?
    /// The gateway's.
    package var version: String
}
