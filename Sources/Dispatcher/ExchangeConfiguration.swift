package import NIOCore

/// What a request's exchange goes by.
package struct ExchangeConfiguration: Sendable {
    /// `BUSY_STATUSES`: the statuses with which a pod refuses a request untouched, so that it may go elsewhere.
    package var busyStatuses: Set<Int> = [503]
    /// `LOG_RESPONSE_BYTES`: how much of an answer's body the row keeps, in bytes.
    package var keptAnswerBytes = 4096
    /// Seconds of Retry-After while rows cannot be written.
    package var storageRetryAfter = 5

    /// How long a pod may take to end a busy answer. Meanwhile the request is with it and not in its line; after this the answer is let go
    /// of, and the pod has said that it is busy all the same.
    package var busyAnswerTime = TimeAmount.seconds(1)

    package init() {}

    /// How much the row keeps of an answer that failed (4xx, 5xx), in bytes.
    static let keptFailureBytes = 64 * 1024
    /// How much is kept of a busy answer, in bytes; of a longer one nothing.
    static let busyAnswerBytes = 64 * 1024

    func keptBytes(ofStatus status: Int) -> Int {
        guard status >= 400, keptAnswerBytes > 0 else { return keptAnswerBytes }
        return max(keptAnswerBytes, Self.keptFailureBytes)
    }
}
