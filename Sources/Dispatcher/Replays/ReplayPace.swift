/// When a job makes its next rows: at its rate, evenly, and never more than 100 ahead of their ends. Without a clock.
package struct ReplayPace: Sendable {
    /// Rows of a job that have not ended, at most.
    package static let ahead = 100

    package let rate: Double
    private var tokens = 1.0
    private var lookedAt: Duration?

    /// - Parameter rate: Rows a second.
    package init(rate: Double) {
        self.rate = rate
    }

    /// How many rows may be made now.
    /// - Parameters:
    ///   - now: By any clock that does not step back.
    ///   - open: Rows that have not ended.
    package mutating func allowance(at now: Duration, open: Int) -> Int {
        if let lookedAt, now > lookedAt {
            let (seconds, attoseconds) = (now - lookedAt).components
            let passed = Double(seconds) + Double(attoseconds) / 1e18
            // What two looks are for and one beside, so that no part of a row is lost between them. No more is caught up on: a burst would
            // fill the pods for a moment, and live traffic would wait for that to pass.
            tokens = min(1 + 2 * rate * lookEvery, tokens + passed * rate)
        }
        lookedAt = max(lookedAt ?? now, now)
        return max(0, min(Int(tokens), Self.ahead - open))
    }

    /// Rows were made.
    package mutating func spend(_ count: Int) { tokens -= Double(count) }

    /// How often to look.
    package var interval: Duration { .seconds(lookEvery) }

    /// In seconds.
    private var lookEvery: Double { min(max(1 / rate, 0.01), 0.25) }
}
