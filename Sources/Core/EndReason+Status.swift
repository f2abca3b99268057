extension EndReason {
    /// The status that a client is answered with when the gateway ends a request for this reason. The one place where an outcome
    /// becomes a status (RFC 9110 §15); nil where the pod's own status goes through, or where nobody is left to answer.
    package var status: Int? {
        switch self {
        case .ok, .clientClosed: nil
        case .noCapacity, .noPods, .exceedsEveryPod, .connectFailed, .draining, .gatewayEnded, .storageUnavailable,
            .operatorCancelled:
            503
        case .queueFull: 429
        case .bodyTooLarge: 413
        case .upstreamReset: 502
        case .upstreamTimeout: 504
        }
    }
}
