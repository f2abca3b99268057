package import NIOCore

/// Durations counted by size in about a kilobyte: eight buckets to each doubling from 8 µs to 38 h, so that a percentile is read back
/// to within 7 % of what it was.
package struct LogHistogram: Sendable, Equatable {
    /// Buckets to each doubling, as a power of two.
    private static let steps = 3
    /// 2^3 µs: all that is shorter is in one bucket.
    private static let lowest = 3
    /// 2^37 µs: all that is longer is in the last bucket.
    private static let highest = 37
    private static let bucketCount = 1 + (highest - lowest) << steps

    /// Without memory until something is recorded, which stays for what comes after ``removeAll()``.
    private var counts: [UInt32] = []
    package private(set) var count = 0
    package private(set) var longest = TimeAmount.zero

    package init() {}

    package mutating func record(_ amount: TimeAmount) {
        if counts.isEmpty { counts = [UInt32](repeating: 0, count: Self.bucketCount) }
        counts[Self.bucket(of: amount.nanoseconds / 1000)] &+= 1
        count += 1
        if amount > longest { longest = amount }
    }

    package mutating func add(_ other: LogHistogram) {
        guard other.count > 0 else { return }
        if counts.isEmpty { counts = [UInt32](repeating: 0, count: Self.bucketCount) }
        for index in counts.indices { counts[index] &+= other.counts[index] }
        count += other.count
        longest = max(longest, other.longest)
    }

    package mutating func removeAll() {
        guard count > 0 else { return }
        for index in counts.indices { counts[index] = 0 }
        count = 0
        longest = .zero
    }

    /// The value that this share of all recorded ones does not exceed (the nearest rank); nil without any.
    package func percentile(_ share: Double) -> TimeAmount? {
        guard count > 0 else { return nil }
        let rank = min(max(Int((share * Double(count)).rounded(.up)), 1), count)
        var seen = 0
        for (bucket, inside) in counts.enumerated() where inside > 0 {
            seen += Int(inside)
            if seen >= rank { return min(.microseconds(Self.middle(of: bucket)), longest) }
        }
        return longest
    }

    private static func bucket(of microseconds: Int64) -> Int {
        guard microseconds >= 1 << Int64(lowest) else { return 0 }
        let doubling = Int64.bitWidth - 1 - microseconds.leadingZeroBitCount
        guard doubling < highest else { return bucketCount - 1 }
        let step = Int(microseconds >> Int64(doubling - steps)) & (1 << steps - 1)
        return 1 + (doubling - lowest) << steps + step
    }

    /// In microseconds.
    private static func middle(of bucket: Int) -> Int64 {
        guard bucket > 0 else { return 1 << Int64(lowest - 1) }
        let (doubling, step) = ((bucket - 1) >> steps + lowest, (bucket - 1) & (1 << steps - 1))
        let width = Int64(1) << Int64(doubling - steps)
        return Int64(1 << steps + step) * width + width / 2
    }
}
