import Core
import Foundation
import Queue

/// A page of the request log as the API shows it. Times of day are RFC 3339, durations in seconds.
package struct RequestsPayload: Codable, Sendable {
    package var requests: [RequestSummaryPayload]
    /// `before` of the next page; absent at the end of the log.
    package var next: String?
    /// The rows that were looked at.
    package var scanned: Int

    init(_ page: LogPage) {
        requests = page.entries.map(RequestSummaryPayload.init)
        next = page.next.map { "\($0)" }
        scanned = page.scanned
    }
}

/// One request in a page.
package struct RequestSummaryPayload: Codable, Sendable {
    package var id: String
    package var state: String
    package var reason: String?
    package var detail: String?
    package var method: String
    package var path: String
    package var route: String
    package var status: Int?
    package var pod: String?
    package var attempts: Int
    package var client: String
    package var priority: String
    package var replayOf: String?
    /// The bulk replay that made it.
    package var replayJob: String?
    package var bodyBytes: Int
    package var answerBytes: Int?
    package var acceptedAt: String
    package var endedAt: String?
    package var hold: Double?
    package var firstByte: Double?
    package var upstream: Double?
    package var total: Double?

    init(_ summary: LogSummary) {
        id = "\(summary.id)"
        state = summary.state.name
        reason = summary.reason?.rawValue
        detail = summary.detail
        method = summary.method
        path = summary.target
        route = summary.routeID
        status = summary.status
        pod = summary.podID
        attempts = summary.attempts
        client = summary.clientAddress
        priority = "\(summary.priority)"
        replayOf = summary.replayOf.map { "\($0)" }
        replayJob = summary.replayJob.map { "\($0)" }
        bodyBytes = summary.bodyBytes
        answerBytes = summary.answerBytes
        acceptedAt = Self.time(summary.acceptedMilliseconds)
        endedAt = summary.endedMilliseconds.map(Self.time)
        hold = summary.hold?.inSeconds
        firstByte = summary.firstByte?.inSeconds
        upstream = summary.upstream?.inSeconds
        total = summary.total?.inSeconds
    }

    static func time(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(
            Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        )
    }
}
