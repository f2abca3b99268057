package import Core
package import NIOCore

/// A request that is whole and waits for its answer: what Ingress hands over, the dispatcher places, and the journal writes down.
///
/// What the client sent never changes. The rest is written once by the journal before the commit is reported, and read after it.
package final class QueuedRequest: @unchecked Sendable {
    // `@unchecked`: `stamp` is written once, by the journal at hand-over, which happens before everything that reads it
    // (the insert's return, the commit's report); `sink` is used on `eventLoop` only, which its protocol demands.

    /// The client connection's loop: everything about this request outside the dispatcher happens here.
    package let eventLoop: any EventLoop
    package let route: Route
    package let method: RequestMethod
    /// Path and query as they came.
    package let target: ByteBuffer
    /// The fields to forward, after the header rules; credentials included, which the journal leaves out of the row.
    package let fields: HeaderFields
    package let body: RequestBody
    package let needs: ResourceVector
    package let priority: RequestPriority
    /// The client's address as it is trusted, for the row; may be empty.
    package let clientAddress: String
    /// When its last byte came.
    package let arrivedAt: NIODeadline
    /// `Prefer: wait=N` (RFC 7240 §4.3): shortens the route's hold timeout, never lengthens it.
    package let holdLimit: TimeAmount?
    /// Whether an `Idempotency-Key` came with it.
    package let hasIdempotencyKey: Bool
    /// The request that this one repeats.
    package let replayOf: RequestID?
    /// The bulk replay that made it: nobody waits for it, so it waits for capacity as long as that takes.
    package let replayJob: ReplayJobID?
    /// Where its answer goes.
    package let sink: any AnswerSink

    /// Given by the journal at hand-over.
    package struct Stamp: Sendable {
        package var id: RequestID
        /// Milliseconds since 1970.
        package var milliseconds: Int64

        package init(id: RequestID, milliseconds: Int64) {
            self.id = id
            self.milliseconds = milliseconds
        }
    }

    private var stamp: Stamp?

    package init(
        eventLoop: any EventLoop,
        route: Route,
        method: RequestMethod,
        target: ByteBuffer,
        fields: HeaderFields,
        body: RequestBody,
        needs: ResourceVector,
        priority: RequestPriority = .live,
        clientAddress: String,
        arrivedAt: NIODeadline,
        holdLimit: TimeAmount? = nil,
        hasIdempotencyKey: Bool = false,
        replayOf: RequestID? = nil,
        replayJob: ReplayJobID? = nil,
        sink: any AnswerSink
    ) {
        self.eventLoop = eventLoop
        self.route = route
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        self.needs = needs
        self.priority = priority
        self.clientAddress = clientAddress
        self.arrivedAt = arrivedAt
        self.holdLimit = holdLimit
        self.hasIdempotencyKey = hasIdempotencyKey
        self.replayOf = replayOf
        self.replayJob = replayJob
        self.sink = sink
    }

    /// The id; only after ``RequestJournal/insert(_:pod:receiver:)`` was called with it.
    package var id: RequestID {
        guard let stamp else { preconditionFailure("a request has no id before it is handed to the journal") }
        return stamp.id
    }

    /// Whether it has an id: it was handed to the journal, or its row is from before a restart.
    package var isStamped: Bool { stamp != nil }

    /// When it was handed to the journal, in milliseconds since 1970.
    package var acceptedMilliseconds: Int64 { stamp?.milliseconds ?? 0 }

    /// Called once, by the journal.
    package func stamp(_ stamp: Stamp) {
        precondition(self.stamp == nil, "a request is handed to the journal once")
        self.stamp = stamp
    }
}

/// Which of two lines of a route goes first.
package enum RequestPriority: Int, CaseIterable, Sendable, Comparable {
    /// A client waits.
    case live = 0
    /// A replay: behind all live traffic.
    case replay = 1

    package static func < (left: RequestPriority, right: RequestPriority) -> Bool { left.rawValue < right.rawValue }
}

/// Where requests go once they are whole: the dispatcher.
package protocol RequestIntake: Sendable {
    /// Takes a request, on its event loop. Its sink hears of it later, never before this has returned.
    /// - Returns: Whom the sink tells about its client.
    func submit(_ request: QueuedRequest) -> any AnswerSource
}
