package import NIOCore

/// Where an answer goes: the client's connection, or nowhere for a replay. Implemented by Ingress; used on its event loop only.
///
/// Either ``refuse(_:)`` is called once, or ``begin(_:framing:timing:)`` once and then ``body(_:)`` any number of times, and ``end(trailers:)`` or
/// ``abort()`` once.
package protocol AnswerSink: AnyObject {
    /// The request has its row: it is committed. Called once, before anything else, and not at all where the commit fails or the
    /// request is refused at the door.
    func recorded(_ id: RequestID)
    /// The pod's answer begins. `framing` is how the pod delimited it; the sink frames for its client.
    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming)
    func body(_ bytes: ByteBuffer)
    /// The answer is whole. ``AnswerSource/delivered()`` follows when its last byte was handed to the kernel.
    func end(trailers: HeaderFields?)
    /// The pod broke its answer off: the client must see that it is not whole, so its connection is closed (chunked: without the
    /// last chunk).
    func abort()
    /// The gateway's own answer. ``AnswerSource/delivered()`` follows too.
    func refuse(_ refusal: Refusal)
}

extension AnswerSink {
    package func recorded(_ id: RequestID) {}
}

/// Who feeds an ``AnswerSink``: what the sink tells it, on the same event loop.
package protocol AnswerSource: AnyObject {
    /// Whether the client takes more now: backpressure.
    func setWritable(_ writable: Bool)
    /// The last byte of the answer was written to the client's socket.
    func delivered()
    /// The client is gone before ``delivered()``; nothing is called on the sink after this.
    func clientLeft()
    /// The gateway ends before ``delivered()``, and cuts the client's connection; nothing is called on the sink after this.
    func gatewayEnds()
}

/// Whose answer it is and what it took, for `Server-Timing` and the access log.
package struct AnswerTiming: Sendable {
    package var requestID: RequestID
    /// Which pod answers; nil where none does.
    package var podID: String?
    /// From the commit of the whole request to its dispatch.
    package var hold: TimeAmount
    /// From the dispatch to the pod's head.
    package var upstream: TimeAmount

    package init(requestID: RequestID, podID: String? = nil, hold: TimeAmount, upstream: TimeAmount) {
        self.requestID = requestID
        self.podID = podID
        self.hold = hold
        self.upstream = upstream
    }
}

/// Why the gateway answers by itself. Ingress alone turns it into a status, a problem document and fields.
package struct Refusal: Sendable {
    package var reason: EndReason
    /// What a person reads: "needs gpus=2; the most any of 3 pods has free is 1".
    package var detail: String
    /// Seconds, 1 … 60; nil for none.
    package var retryAfter: Int?
    /// nil where the request was refused before it had an id.
    package var requestID: RequestID?
    /// Refused before it was taken in: it has no row of the usual kind, and nobody has its body's file.
    package var isAtTheDoor = false
    /// The last answer with which a pod refused it as busy, passed on in place of our own at the hold timeout.
    package var podAnswer: KeptAnswer?
    /// How long it was held.
    package var hold: TimeAmount?

    package init(
        reason: EndReason,
        detail: String,
        retryAfter: Int? = nil,
        requestID: RequestID? = nil,
        podAnswer: KeptAnswer? = nil,
        hold: TimeAmount? = nil
    ) {
        self.reason = reason
        self.detail = detail
        self.retryAfter = retryAfter
        self.requestID = requestID
        self.podAnswer = podAnswer
        self.hold = hold
    }
}

/// A whole answer in memory (at most 64 KiB).
package struct KeptAnswer: Sendable {
    package var head: ResponseHead
    package var body: ByteBuffer

    package init(head: ResponseHead, body: ByteBuffer) {
        self.head = head
        self.body = body
    }
}
