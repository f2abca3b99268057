package import Core
package import NIOCore

/// One line of the request log.
package struct LogSummary: Sendable {
    package var id: RequestID
    package var state: RequestState
    /// nil while it has not ended.
    package var reason: EndReason?
    /// In words, where there is more to say than the reason.
    package var detail: String?
    package var method: String
    /// Path and query, without the values of parameters that are withheld.
    package var target: String
    package var routeID: String
    /// What the client was sent.
    package var status: Int?
    /// The last pod that it was sent to.
    package var podID: String?
    /// Dispatches so far.
    package var attempts: Int
    package var clientAddress: String
    package var priority: RequestPriority
    package var replayOf: RequestID?
    /// The bulk replay that made it.
    package var replayJob: ReplayJobID?
    /// Of the request.
    package var bodyBytes: Int
    /// Of the answer, as far as it came from the pod.
    package var answerBytes: Int?
    /// When it was handed to the journal, in milliseconds since 1970.
    package var acceptedMilliseconds: Int64
    package var endedMilliseconds: Int64?
    /// From the commit to the last dispatch, or to the end without one.
    package var hold: Duration?
    /// From the last dispatch to the pod's head.
    package var firstByte: Duration?
    /// From the last dispatch to the answer's end.
    package var upstream: Duration?
    /// From the request's last byte to its end.
    package var total: Duration?
}

/// Everything that is known of one request.
package struct LogEntry: Sendable {
    package var summary: LogSummary
    package var needs: ResourceVector
    /// As they were forwarded, without those that are withheld.
    package var fields: [(name: String, value: String)]
    /// Names of fields and query parameters (these with a leading `?`) whose values were not kept.
    package var withheld: [String]
    package var body: LogBody
    package var attempts: [LogAttempt]
    /// What happened, oldest first.
    package var timeline: [LogEvent]
    /// nil where no answer came from a pod.
    package var answer: LogAnswer?
    /// The requests that repeated this one, oldest first.
    package var replays: [RequestID]
}

/// What is still there of a request's body.
package enum LogBody: Sendable {
    /// It never had one.
    case none
    case kept(ByteBuffer)
    /// In a file beside the database, which is there.
    case spooled(SpooledBody)
    /// It had one, which was removed by retention or is missing.
    case removed
}

/// A dispatch.
package struct LogAttempt: Sendable {
    /// From 1.
    package var number: Int
    package var podID: String
    package var milliseconds: Int64
}

/// A step in a request's life.
package struct LogEvent: Sendable {
    package var milliseconds: Int64
    package var state: RequestState
    /// Where the step is a dispatch.
    package var podID: String?
}

/// What is kept of a pod's answer.
package struct LogAnswer: Sendable {
    package var status: Int
    package var fields: [(name: String, value: String)]
    package var withheld: [String]
    /// The first part of it; nil where none was kept, or retention removed it.
    package var body: ByteBuffer?
}

/// Which requests a page of the log is about. What is empty or nil does not restrict.
package struct LogFilter: Sendable {
    package var states: Set<RequestState> = []
    package var reasons: Set<EndReason> = []
    package var routeID: String?
    /// The last pod's id.
    package var podID: String?
    /// What the client was sent: `503...503`, `500...599`.
    package var statuses: ClosedRange<Int>?
    /// Handed over at or after this, in milliseconds since 1970.
    package var sinceMilliseconds: Int64?
    /// Handed over before this.
    package var untilMilliseconds: Int64?
    /// Part of the path, the reason or the pod, in any case of ASCII; or the whole id.
    package var text: String?
    /// The replays of this request.
    package var replayOf: RequestID?
    /// The replays that this job made.
    package var replayJob: ReplayJobID?

    package init() {}
}

/// A page of the request log, newest first.
package struct LogPage: Sendable {
    package var entries: [LogSummary]
    /// Where the next page begins (its `before`); nil at the end of the log.
    package var next: RequestID?
    /// The rows that were looked at.
    package var scanned: Int
}

/// What is needed to send a request again.
package struct ReplaySource: Sendable {
    package var id: RequestID
    package var state: RequestState
    package var method: RequestMethod
    /// Without the values of parameters that are withheld.
    package var target: ByteBuffer
    package var fields: HeaderFields
    package var body: RequestBody
    package var routeID: String
    package var needs: ResourceVector
    /// Names of fields and query parameters (these with a leading `?`) whose values were not kept.
    package var withheld: [String]
    /// Whether it had a body that is no longer there.
    package var isBodyMissing: Bool
    package var holdLimit: TimeAmount?
    package var clientAddress: String
    package var replayOf: RequestID?
    package var replayJob: ReplayJobID?
}

/// A replay that waited when the gateway ended and goes on waiting: its row exists.
package struct RecoveredReplay: Sendable {
    package var source: ReplaySource
    /// To be given to its ``QueuedRequest/stamp(_:)``: it is not inserted again; a dispatch is written as an attempt.
    package var stamp: QueuedRequest.Stamp
}
