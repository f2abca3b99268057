package import NIOCore

/// What a run prints: one JSON object, the same keys in every mode.
package struct Summary: Codable, Sendable {
    package var mode: String
    package var target: String
    /// Of the part that was measured.
    package var seconds: Double
    package var requests: Int
    package var requestsPerSecond: Double
    package var statuses: [String: Int]
    /// `Neutrino-Reason` of answers other than 200.
    package var reasons: [String: Int]
    package var errors: [String: Int]
    /// Milliseconds, from when the request was meant to be sent to the last byte of its answer.
    package var latency: LatencyHistogram.Percentiles?
    /// Answers that took longer than 20 ms.
    package var over20ms: Int
    /// What else the mode measures, all in milliseconds.
    package var more: [String: LatencyHistogram.Percentiles]
    /// Other counts of the mode.
    package var counts: [String: Int]
    /// Texts of the mode, such as checksums.
    package var notes: [String: String]

    package init(
        mode: String,
        target: Target,
        took: TimeAmount,
        tally: Tally,
        more: [String: LatencyHistogram] = [:],
        counts: [String: Int] = [:],
        notes: [String: String] = [:]
    ) {
        let answers = tally.answers
        let total = answers.values.reduce(0, +)
        self.mode = mode
        self.target = target.authority
        seconds = Double(took.nanoseconds) / 1e9
        requests = total
        requestsPerSecond = seconds > 0 ? (Double(total) / seconds * 10).rounded() / 10 : 0
        statuses = Dictionary(uniqueKeysWithValues: answers.map { ("\($0.key)", $0.value) })
        reasons = tally.reasons
        errors = tally.errors
        latency = tally.latencies.percentiles
        over20ms = tally.slow
        self.more = more.compactMapValues(\.percentiles)
        self.counts = counts
        self.notes = notes
    }
}
