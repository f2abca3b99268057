package import NIOCore

/// Durations counted by fixed bounds that suit everything from a request that is answered at once to one that is held for minutes.
/// The bounds never change, so that series of different runs can be added.
package struct BucketHistogram: Sendable, Equatable {
    /// Upper bounds, included, in nanoseconds: 1 ms to 10 min. What is above the last is counted in one more.
    package static let bounds: [Int64] = [
        1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    ].map { Int64($0 * 1_000_000) }

    /// How many were within each bound and above the one before.
    package private(set) var counts = [Int](repeating: 0, count: bounds.count + 1)
    /// In nanoseconds.
    package private(set) var sum: Int64 = 0
    package private(set) var count = 0

    package init() {}

    package mutating func record(_ amount: TimeAmount) {
        let nanoseconds = max(amount.nanoseconds, 0)
        counts[Self.bucket(of: nanoseconds)] += 1
        sum &+= nanoseconds
        count += 1
    }

    private static func bucket(of nanoseconds: Int64) -> Int {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if nanoseconds <= bounds[middle] { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
