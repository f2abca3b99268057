import Core
package import NIOCore

/// What happened in each 5 seconds of the last 15 minutes.
struct HistoryRing: Sendable {
    static let interval = TimeAmount.seconds(5)
    /// That are shown; one more is being filled.
    static let points = 180

    private struct Slot {
        /// Counted by the clock from `origin`; what this slot is about.
        var number: Int64 = -1
        var counts = HistoryPoint.Counts()
        var depth = 0
        var oldestAge = TimeAmount.zero
        var holds = LogHistogram()
        var upstreams = LogHistogram()
    }

    private var ring = [Slot](repeating: Slot(), count: points + 1)
    /// When a slot began, so that slots begin where a watch shows whole multiples of 5 seconds.
    private let origin: Int64

    /// - Parameters:
    ///   - now: The time.
    ///   - milliseconds: The same time since 1970.
    init(now: NIODeadline, milliseconds: Int64) {
        let interval = Self.interval.nanoseconds
        origin = Int64(now.uptimeNanoseconds) - milliseconds * 1_000_000 % interval - interval
    }

    mutating func end(
        _ state: RequestState,
        isServerError: Bool = false,
        hold: TimeAmount?,
        upstream: TimeAmount?,
        at now: NIODeadline
    ) {
        let place = slot(at: now)
        ring[place].counts.count(state)
        if isServerError { ring[place].counts.serverErrors += 1 }
        if let hold { ring[place].holds.record(hold) }
        if let upstream { ring[place].upstreams.record(upstream) }
    }

    /// The most that was seen to wait in a slot is what it tells.
    mutating func sample(depth: Int, oldestAge: TimeAmount, at now: NIODeadline) {
        let place = slot(at: now)
        ring[place].depth = max(ring[place].depth, depth)
        ring[place].oldestAge = max(ring[place].oldestAge, oldestAge)
    }

    /// The whole slots before now, oldest first; empty ones where the gateway did not run yet.
    func points(at now: NIODeadline, milliseconds: Int64) -> [HistoryPoint] {
        let current = number(now)
        return (current - Int64(Self.points)..<current).map { point($0, at: now, milliseconds: milliseconds) }
    }

    /// The last whole slot.
    func newest(at now: NIODeadline, milliseconds: Int64) -> HistoryPoint {
        point(number(now) - 1, at: now, milliseconds: milliseconds)
    }

    private func point(_ number: Int64, at now: NIODeadline, milliseconds: Int64) -> HistoryPoint {
        let beganAgo = Int64(now.uptimeNanoseconds) - origin - number * Self.interval.nanoseconds
        // To the whole second: the two clocks are not read at quite the same time.
        let began = (milliseconds - beganAgo / 1_000_000 + 500) / 1000 * 1000
        var point = HistoryPoint(beganMilliseconds: began)
        guard number >= 0, case let slot = ring[Self.place(number)], slot.number == number else { return point }
        point.counts = slot.counts
        point.depth = slot.depth
        point.oldestAge = slot.oldestAge
        point.hold = (slot.holds.percentile(0.5), slot.holds.percentile(0.99))
        point.upstream = (slot.upstreams.percentile(0.5), slot.upstreams.percentile(0.99))
        return point
    }

    private mutating func slot(at now: NIODeadline) -> Int {
        let number = number(now)
        let place = Self.place(number)
        guard ring[place].number != number else { return place }
        ring[place].number = number
        ring[place].counts = HistoryPoint.Counts()
        ring[place].depth = 0
        ring[place].oldestAge = .zero
        ring[place].holds.removeAll()
        ring[place].upstreams.removeAll()
        return place
    }

    private func number(_ now: NIODeadline) -> Int64 {
        (Int64(now.uptimeNanoseconds) - origin) / Self.interval.nanoseconds
    }

    private static func place(_ number: Int64) -> Int { Int(number % Int64(points + 1)) }
}

/// One interval of the recent past.
package struct HistoryPoint: Sendable {
    /// How requests ended in it.
    package struct Counts: Sendable, Equatable {
        package var completed = 0
        /// Of the completed, those that a pod answered with 500 or above.
        package var serverErrors = 0
        /// Those that the gateway's own end broke off among them.
        package var failed = 0
        package var expired = 0
        package var cancelled = 0
        package var rejected = 0

        mutating func count(_ state: RequestState) {
            switch state {
            case .completed: completed += 1
            case .failed, .abandoned, .interrupted: failed += 1
            case .expired: expired += 1
            case .cancelled: cancelled += 1
            case .rejected: rejected += 1
            case .queued, .dispatched: assertionFailure("a request ends in a terminal state")
            }
        }
    }

    package static let interval = HistoryRing.interval

    /// When it began, in milliseconds since 1970.
    package var beganMilliseconds: Int64
    package var counts = Counts()
    /// The most that waited, and the longest wait, of all times that were looked at in it.
    package var depth = 0
    package var oldestAge = TimeAmount.zero
    /// nil where no request ended in it.
    package var hold: (median: TimeAmount?, p99: TimeAmount?)
    package var upstream: (median: TimeAmount?, p99: TimeAmount?)

    init(beganMilliseconds: Int64) { self.beganMilliseconds = beganMilliseconds }
}
