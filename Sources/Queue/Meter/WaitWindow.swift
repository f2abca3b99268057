package import NIOCore

/// The holds of the last 15 minutes, a minute at a time: the oldest minute is forgotten when a new one begins.
struct WaitWindow: Sendable {
    static let minutes = 15

    private struct Minute {
        /// Counted by the clock; whose holds these are.
        var number: Int64 = -1
        var holds = LogHistogram()
    }

    private var ring = [Minute](repeating: Minute(), count: minutes)

    mutating func record(_ hold: TimeAmount, at now: NIODeadline) {
        let number = Self.number(now)
        let place = Int(number % Int64(Self.minutes))
        if ring[place].number != number {
            ring[place].holds.removeAll()
            ring[place].number = number
        }
        ring[place].holds.record(hold)
    }

    func statistics(at now: NIODeadline) -> WaitStatistics {
        let newest = Self.number(now)
        var holds = LogHistogram()
        for minute in ring where minute.number >= 0 && minute.number > newest - Int64(Self.minutes) {
            holds.add(minute.holds)
        }
        return WaitStatistics(holds)
    }

    private static func number(_ now: NIODeadline) -> Int64 { Int64(now.uptimeNanoseconds / 60_000_000_000) }
}

/// How long requests that ended lately had been held.
package struct WaitStatistics: Sendable, Equatable {
    /// What is looked back on.
    package static let window = TimeAmount.minutes(Int64(WaitWindow.minutes))

    package var count: Int
    /// nil without any request.
    package var median: TimeAmount?
    package var p90: TimeAmount?
    package var p99: TimeAmount?
    package var longest: TimeAmount?

    /// Nothing ended.
    package static let none = WaitStatistics(LogHistogram())

    init(_ holds: LogHistogram) {
        count = holds.count
        median = holds.percentile(0.5)
        p90 = holds.percentile(0.9)
        p99 = holds.percentile(0.99)
        longest = holds.count > 0 ? holds.longest : nil
    }
}
