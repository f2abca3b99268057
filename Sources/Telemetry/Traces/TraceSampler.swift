/// Which traces are recorded: `OTEL_TRACES_SAMPLER` (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables).
package struct TraceSampler: Sendable, Equatable {
    /// Of traces that begin here, and of all where parents are not followed.
    package var ratio: Double
    /// Whether a trace that came with a request is recorded where its sender says that it is.
    package var followsParent: Bool

    package init(ratio: Double = 1, followsParent: Bool = true) {
        self.ratio = ratio
        self.followsParent = followsParent
    }

    /// - Parameters:
    ///   - traceLow: The lower half of the trace's id, which is random: so that all who go by the same ratio decide alike.
    ///   - isParentSampled: nil for a trace that begins here.
    func samples(traceLow: UInt64, isParentSampled: Bool?) -> Bool {
        if followsParent, let isParentSampled { return isParentSampled }
        if ratio >= 1 { return true }
        // As the other implementations of TraceIdRatioBased: the lower 63 bits against the ratio of 2^63.
        return traceLow >> 1 < UInt64(max(ratio, 0) * 0x1p63)
    }
}
