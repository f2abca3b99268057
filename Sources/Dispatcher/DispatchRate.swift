import NIOCore

/// Counts dispatches second by second over the last minute, for `Retry-After`.
struct DispatchRate {
    private static let seconds = 60

    private var counts = InlineArray<60, UInt32>(repeating: 0)
    private var total = 0
    /// The second that was counted last.
    private var last: UInt64 = 0

    mutating func count(now: NIODeadline) {
        advance(to: now)
        counts[Int(last % UInt64(Self.seconds))] += 1
        total += 1
    }

    /// The seconds after which one more could be dispatched behind `waiting` others, at the pace of the last minute: 1 … 60, 60 where
    /// none was dispatched.
    mutating func retryAfter(waiting: Int, now: NIODeadline) -> Int {
        advance(to: now)
        guard total > 0 else { return Self.seconds }
        let seconds = ((waiting + 1) * Self.seconds + total - 1) / total
        return min(max(seconds, 1), Self.seconds)
    }

    private mutating func advance(to now: NIODeadline) {
        let second = now.uptimeNanoseconds / 1_000_000_000
        guard second > last else { return }
        if second - last >= UInt64(Self.seconds) {
            counts = InlineArray(repeating: 0)
            total = 0
        } else {
            for passed in last + 1...second {
                let index = Int(passed % UInt64(Self.seconds))
                total -= Int(counts[index])
                counts[index] = 0
            }
        }
        last = second
    }
}
