/// A problem document (RFC 9457): what every answer of the API is that says no.
package struct ProblemPayload: Codable, Sendable {
    package var type: String
    package var title: String
    package var status: Int
    /// For people.
    package var detail: String
    /// For programs.
    package var reason: String
}
