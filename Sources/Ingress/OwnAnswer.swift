import Core
import HTTP
import NIOCore

/// A whole answer that the gateway makes itself.
struct OwnAnswer {
    var status: Int
    var contentType: StaticString
    var body: String
    /// `Neutrino-Reason`; nil for what is no refusal.
    var reason: String?
    var retryAfter: Int?
    var requestID: RequestID?
    var allow: String?
    /// For `Server-Timing`.
    var hold: TimeAmount?

    init(_ problem: ProblemAnswer, hold: TimeAmount? = nil) {
        status = problem.status
        contentType = "application/problem+json"
        body = problem.json
        reason = problem.reason
        retryAfter = problem.retryAfter
        requestID = problem.requestID
        allow = problem.allow
        self.hold = hold
    }

    init(_ status: Int, json: String) {
        self.status = status
        contentType = "application/json"
        body = json
    }

    /// Writes head and body; HEAD gets the head alone.
    func write(isHead: Bool, version: HTTPVersion, closes: Bool, date: DateStamp, into buffer: inout ByteBuffer) {
        buffer.writeText("HTTP/1.1 ")
        buffer.writeDecimal(status)
        buffer.writeText(" ")
        buffer.writeString(ReasonPhrase.of(status))
        buffer.writeText("\r\nContent-Type: ")
        buffer.writeText(contentType)
        buffer.writeText("\r\nContent-Length: ")
        buffer.writeDecimal(body.utf8.count)
        buffer.writeText("\r\nCache-Control: no-store\r\n")
        date.write(into: &buffer)
        if let reason { buffer.writeField("Neutrino-Reason", reason) }
        if let retryAfter { buffer.writeField("Retry-After", "\(retryAfter)") }
        if let allow { buffer.writeField("Allow", allow) }
        if let requestID { buffer.writeField("Neutrino-Request-Id", requestID.description) }
        if let hold {
            buffer.writeText("Server-Timing: hold;dur=")
            buffer.writeMilliseconds(hold)
            buffer.writeText("\r\n")
        }
        if closes {
            buffer.writeText("Connection: close\r\n")
        } else if version == .http10 {
            buffer.writeText("Connection: keep-alive\r\n")
        }
        buffer.writeText("\r\n")
        if !isHead { buffer.writeString(body) }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeField(_ name: StaticString, _ value: String) {
        writeText(name)
        writeText(": ")
        writeString(value)
        writeText("\r\n")
    }
}
