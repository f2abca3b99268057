import Core
import Foundation
import NIOCore
import Queue

/// A page of the request log as the API shows it. Times of day are RFC 3339, durations in seconds.
struct RequestsPayload: Encodable {
    var requests: [RequestSummaryPayload]
    /// `before` of the next page; null at the end of the log.
    var next: String?
    /// The rows that were looked at.
    var scanned: Int

    init(_ page: LogPage) {
        requests = page.entries.map(RequestSummaryPayload.init)
        next = page.next.map { "\($0)" }
        scanned = page.scanned
    }
}

struct RequestSummaryPayload: Encodable {
    var id: String
    var state: String
    var reason: String?
    var detail: String?
    var method: String
    var path: String
    var route: String
    var status: Int?
    var pod: String?
    var attempts: Int
    var client: String
    var priority: String
    var replayOf: String?
    var bodyBytes: Int
    var answerBytes: Int?
    var acceptedAt: String
    var endedAt: String?
    var hold: Double?
    var firstByte: Double?
    var upstream: Double?
    var total: Double?

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

/// One request with everything that is known of it.
struct RequestPayload: Encodable {
    struct Attempt: Encodable {
        var number: Int
        var pod: String
        var at: String
    }

    struct Step: Encodable {
        var at: String
        var state: String
        var pod: String?
    }

    struct Field: Encodable {
        var name: String
        var value: String
    }

    struct Answer: Encodable {
        var status: Int
        var headers: [Field]
        var withheld: [String]
        var body: BodyPayload?
    }

    var request: RequestSummaryPayload
    var needs: NeedsPayload
    var headers: [Field]
    /// Names whose values were not kept.
    var withheld: [String]
    var body: BodyPayload?
    var attempts: [Attempt]
    var timeline: [Step]
    var answer: Answer?
    var replays: [String]

    init(_ entry: LogEntry, showsBodies: Bool) {
        request = RequestSummaryPayload(entry.summary)
        needs = NeedsPayload(entry.needs)
        headers = entry.fields.map { Field(name: $0.name, value: $0.value) }
        withheld = entry.withheld
        body = showsBodies ? BodyPayload(entry.body, bytes: entry.summary.bodyBytes) : nil
        attempts = entry.attempts.map {
            Attempt(number: $0.number, pod: $0.podID, at: RequestSummaryPayload.time($0.milliseconds))
        }
        timeline = entry.timeline.map {
            Step(at: RequestSummaryPayload.time($0.milliseconds), state: $0.state.name, pod: $0.podID)
        }
        answer = entry.answer.map { answer in
            Answer(
                status: answer.status,
                headers: answer.fields.map { Field(name: $0.name, value: $0.value) },
                withheld: answer.withheld,
                body: showsBodies ? answer.body.map { BodyPayload($0, bytes: entry.summary.answerBytes ?? 0) } : nil
            )
        }
        replays = entry.replays.map { "\($0)" }
    }
}

/// What is shown of a body: as text where it is text, else in base64; cut at ``shownBytes``.
struct BodyPayload: Encodable {
    static let shownBytes = 64 * 1024

    /// Of the whole body.
    var bytes: Int
    /// `kept`, `spooled` (in a file), `removed` (by retention).
    var kind: String
    var text: String?
    var base64: String?
    /// Whether what is shown is not the whole.
    var isCut: Bool

    /// nil for a request without a body.
    init?(_ body: LogBody, bytes: Int) {
        switch body {
        case .none: return nil
        case .kept(let buffer): self.init(buffer, bytes: bytes)
        case .spooled: self.init(kind: "spooled", bytes: bytes)
        case .removed: self.init(kind: "removed", bytes: bytes)
        }
    }

    init(_ buffer: ByteBuffer, bytes: Int) {
        let shown =
            buffer.getSlice(at: buffer.readerIndex, length: min(buffer.readableBytes, Self.shownBytes)) ?? buffer
        self.init(kind: "kept", bytes: bytes)
        isCut = shown.readableBytes < bytes
        if let text = String(validating: shown.readableBytesView, as: UTF8.self) {
            self.text = text
        } else {
            base64 = Data(shown.readableBytesView).base64EncodedString()
        }
    }

    private init(kind: String, bytes: Int) {
        self.kind = kind
        self.bytes = bytes
        isCut = kind != "kept"
    }
}
