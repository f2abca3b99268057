import Histogram
package import NIOCore

/// What was counted on one event loop; those of all loops are added up.
package struct Tally: Sendable {
    /// An answer later than this is counted on its own: what a person would call a hiccup.
    package static let slow = TimeAmount.milliseconds(20)

    package private(set) var latencies = LatencyHistogram()
    package private(set) var statuses: [Int: Int] = [:]
    package private(set) var reasons: [String: Int] = [:]
    package private(set) var errors: [String: Int] = [:]
    package private(set) var slow = 0
    /// Answers with another status than the 200 that nearly all have, or 200 itself: a counter that costs no hashing.
    private var ok = 0

    package init() {}

    package mutating func answer(_ head: ResponseHead, after latency: TimeAmount) {
        latencies.record(latency)
        if latency > Self.slow { slow += 1 }
        if head.status == 200 {
            ok += 1
            return
        }
        statuses[head.status, default: 0] += 1
        if let reason = head.field("neutrino-reason") { reasons[reason, default: 0] += 1 }
    }

    package mutating func error(_ name: String) {
        errors[name, default: 0] += 1
    }

    package mutating func add(_ other: Tally) {
        latencies.add(other.latencies)
        statuses.merge(other.statuses, uniquingKeysWith: +)
        reasons.merge(other.reasons, uniquingKeysWith: +)
        errors.merge(other.errors, uniquingKeysWith: +)
        slow += other.slow
        ok += other.ok
    }

    /// All answers by status.
    package var answers: [Int: Int] { ok == 0 ? statuses : statuses.merging([200: ok], uniquingKeysWith: +) }
}

/// Latencies from 100 ns to an hour, to three digits (HdrHistogram).
package struct LatencyHistogram: Sendable {
    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 100,
        highestTrackableValue: 3_600_000_000_000,
        numberOfSignificantValueDigits: .three
    )

    package init() {}

    package mutating func record(_ latency: TimeAmount) {
        histogram.record(UInt64(max(0, latency.nanoseconds)))
    }

    package mutating func add(_ other: LatencyHistogram) {
        histogram.add(other.histogram)
    }

    /// In milliseconds; nil where nothing was recorded.
    package var percentiles: Percentiles? {
        guard histogram.totalCount > 0 else { return nil }
        func at(_ percentile: Double) -> Double {
            (Double(histogram.valueAtPercentile(percentile)) / 1_000).rounded() / 1_000
        }
        return Percentiles(
            p50: at(50),
            p90: at(90),
            p99: at(99),
            p999: at(99.9),
            max: at(100),
            mean: (histogram.mean / 1_000).rounded() / 1_000
        )
    }

    /// All in milliseconds.
    package struct Percentiles: Codable, Sendable {
        package var p50: Double
        package var p90: Double
        package var p99: Double
        package var p999: Double
        package var max: Double
        package var mean: Double
    }
}
