package import Core
package import NIOCore

/// The durable record of requests, as the dispatcher sees it: hand over, hear of the commit, then act.
///
/// Every call returns at once, from any thread; rows are written in the order of the calls. Implemented by the group-committing
/// writer; tests put a small one in memory in its place.
package protocol RequestJournal: Sendable {
    /// Gives the request its id and writes its row, with its first dispatch where a pod is free at once (number 1): one commit.
    func insert(_ request: QueuedRequest, pod: Pod?, receiver: any CommitReceiver)
    /// Writes a later dispatch of a request that was inserted. Where the insert's own commit failed, this fails too.
    func attempt(_ request: QueuedRequest, number: Int, pod: Pod, receiver: any CommitReceiver)
    /// Writes how a request ended: lazily, with a commit of few rows, when 64 wait, or after 5 ms. Never dropped while the disk works: kept
    /// and tried again.
    func end(_ outcome: Outcome)
    /// Writes that a request was refused at the door: lazily, at most 100 a second, the rest only counted.
    /// - Returns: The id of its row; where it is only counted, one that no other request has.
    @discardableResult
    func rejected(_ rejection: Rejection) -> RequestID
    /// An id for an answer to what gets no row, such as what is no request; no other request has it.
    func newID() -> RequestID
    /// Removes a body whose request gets no row, once no row names its file.
    func discard(_ body: SpooledBody)
    /// Whether new requests can be written at all; nil when they can.
    var unavailable: StorageProblem? { get }
}

/// Who waits for a commit. Called on `eventLoop`, all receivers of one commit and loop in one tick.
package protocol CommitReceiver: AnyObject {
    var eventLoop: any EventLoop { get }
    /// What was handed over is durable; `pod` is the dispatch that the commit carried, nil for an insert without one.
    func committed(pod: Pod?)
    /// It is not, and the request has no row (an insert) or no such dispatch (an attempt).
    func commitFailed(_ problem: StorageProblem)
}

/// Why the journal cannot write.
package struct StorageProblem: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The disk is full.
        case full
        /// An I/O error, a read-only file system, a database that cannot be written.
        case broken
        /// The WAL is over its bound and the checkpoint does not keep up.
        case behind
        /// The writer has ended.
        case closed
    }

    package var code: Code
    package var description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// How a request ended, for its row.
package struct Outcome: Sendable {
    package var id: RequestID
    /// Whose request it was, for the meter; nil counts as `default`.
    package var route: Route?
    /// Whether a client waited for it.
    package var priority: RequestPriority
    /// Terminal.
    package var state: RequestState
    package var reason: EndReason
    /// In words, where there is more to say than the reason; for operators.
    package var detail: String?
    /// What the client was sent; nil where nothing was.
    package var status: Int?
    /// The last pod that it was sent to.
    package var podID: String?
    /// Dispatches in all.
    package var attempts: Int
    /// How long it waited: from its commit to its last dispatch, or to its end where it was in its line then, less what earlier attempts
    /// took.
    package var hold: TimeAmount
    /// From the last dispatch to the pod's head; nil without a head.
    package var firstByte: TimeAmount?
    /// From the last dispatch to the answer's end; nil without a dispatch.
    package var upstream: TimeAmount?
    /// From the request's last byte to its end.
    package var total: TimeAmount
    /// The bytes of the answer's body that came from the pod.
    package var answerBytes: Int
    /// The answer's head; `Set-Cookie` and the like are left out of the row by the journal.
    package var answerHead: ResponseHead?
    /// The first part of the answer's body, within `LOG_RESPONSE_BYTES`.
    package var answerBody: ByteBuffer?

    package init(
        id: RequestID,
        route: Route? = nil,
        priority: RequestPriority = .live,
        state: RequestState,
        reason: EndReason,
        detail: String? = nil,
        status: Int? = nil,
        podID: String? = nil,
        attempts: Int = 0,
        hold: TimeAmount,
        firstByte: TimeAmount? = nil,
        upstream: TimeAmount? = nil,
        total: TimeAmount,
        answerBytes: Int = 0,
        answerHead: ResponseHead? = nil,
        answerBody: ByteBuffer? = nil
    ) {
        self.id = id
        self.route = route
        self.priority = priority
        self.state = state
        self.reason = reason
        self.detail = detail
        self.status = status
        self.podID = podID
        self.attempts = attempts
        self.hold = hold
        self.firstByte = firstByte
        self.upstream = upstream
        self.total = total
        self.answerBytes = answerBytes
        self.answerHead = answerHead
        self.answerBody = answerBody
    }
}

/// A request that was refused at the door, for its row.
package struct Rejection: Sendable {
    package var reason: EndReason
    package var detail: String
    package var status: Int
    package var method: RequestMethod
    package var target: ByteBuffer
    /// nil where it was refused before its route was known, which counts as `default`.
    package var route: Route?
    package var clientAddress: String

    package var routeID: String { route?.id ?? Route.defaultID }

    package init(
        reason: EndReason,
        detail: String,
        status: Int,
        method: RequestMethod,
        target: ByteBuffer,
        route: Route?,
        clientAddress: String
    ) {
        self.reason = reason
        self.detail = detail
        self.status = status
        self.method = method
        self.target = target
        self.route = route
        self.clientAddress = clientAddress
    }
}
