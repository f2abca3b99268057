import NIOCore

/// Bounds the polls that waiting requests cause over all pods: a bucket that fills with a tenth of a second's worth.
struct PollPace {
    private let perSecond: Int
    private var tokens: Int
    private var filledAt = NIODeadline.uptimeNanoseconds(0)

    init(perSecond: Int) {
        self.perSecond = max(perSecond, 1)
        tokens = max(perSecond / 10, 1)
    }

    mutating func allows(now: NIODeadline) -> Bool {
        let passed = max((now - filledAt).nanoseconds, 0)
        let fresh = passed >= 1_000_000_000 ? perSecond : Int(passed) * perSecond / 1_000_000_000
        if fresh > 0 {
            tokens = min(tokens + fresh, max(perSecond / 10, 1))
            filledAt = now
        }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }
}
