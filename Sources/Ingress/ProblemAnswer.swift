import Core
import HTTP
import NIOCore

/// An answer of the gateway's own that tells of a problem (RFC 9457). Its status is the reason's (Core); here it becomes a document
/// and a `Retry-After`.
struct ProblemAnswer: Equatable {
    var status: Int
    /// For `Neutrino-Reason`, and for programs.
    var reason: String
    /// For people.
    var detail: String
    /// In seconds.
    var retryAfter: Int?
    var requestID: RequestID?
    /// For `Allow`, which a 405 has (RFC 9110 §15.5.6).
    var allow: String?

    init(_ status: Int, _ reason: String, _ detail: String, retryAfter: Int? = nil, allow: String? = nil) {
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retryAfter = retryAfter
        self.allow = allow
    }

    /// What the dispatcher refuses.
    init(_ refusal: Refusal) {
        self.init(
            refusal.reason.status ?? 500,
            refusal.reason.rawValue,
            refusal.detail,
            retryAfter: refusal.retryAfter ?? Self.retryAfter(of: refusal.reason)
        )
        requestID = refusal.requestID
    }

    /// What Ingress refuses by itself, before the request has an id.
    init(_ reason: EndReason, _ detail: String) {
        self.init(Refusal(reason: reason, detail: detail))
    }

    /// What is no request that may be forwarded.
    init(_ error: MessageError) {
        let reason =
            switch error.status {
            case 431: "head_too_large"
            case 501: "not_implemented"
            case 505: "version_not_supported"
            default: "malformed_request"
            }
        self.init(error.status, reason, error.description)
    }

    static func timeout(_ detail: String) -> ProblemAnswer {
        ProblemAnswer(408, "request_timeout", detail)
    }

    static func notFound(_ detail: String) -> ProblemAnswer {
        ProblemAnswer(404, "not_found", detail)
    }

    /// The `Retry-After` of a reason where the refusal computed none, in seconds.
    private static func retryAfter(of reason: EndReason) -> Int? {
        switch reason {
        case .noCapacity, .noPods, .exceedsEveryPod, .connectFailed: 60
        case .queueFull, .storageUnavailable: 5
        // Another gateway, or the one that follows this one, takes it.
        case .draining, .gatewayEnded: 1
        case .operatorCancelled, .bodyTooLarge, .upstreamReset, .upstreamTimeout, .clientClosed, .ok:
            nil
        }
    }

    /// The document.
    var json: String {
        var writer = JSONText()
        writer.raw("{")
        writer.member("type", "urn:neutrino-gateway:problem:\(reason)")
        writer.raw(",")
        writer.member("title", ReasonPhrase.of(status))
        writer.raw(",\"status\":\(status),")
        writer.member("detail", detail)
        writer.raw(",")
        writer.member("reason", reason)
        if let requestID {
            writer.raw(",")
            writer.member("request_id", requestID.description)
        }
        writer.raw("}\n")
        return writer.text
    }
}
