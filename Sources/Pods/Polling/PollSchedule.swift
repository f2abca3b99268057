import Core
import HeapModule
import NIOCore

/// Decides which pod is polled when: every pod by a timer of its own, at most one poll under way for each. No I/O, no clock.
struct PollSchedule {
    private struct Entry {
        let pod: Pod
        /// In place of the configured one.
        var interval: TimeAmount?
        /// When the last poll began; nil before the first.
        var begun: NIODeadline?
        /// When the next one is to begin; nil while one is under way.
        var due: NIODeadline?
        /// Whether one was asked for that has not begun: it is due as soon as possible.
        var isWanted = false
    }

    /// An entry's place in time. Stale where the entry's own ``Entry/due`` says otherwise.
    private struct Due: Comparable {
        let deadline: NIODeadline
        let key: Int

        static func < (left: Due, right: Due) -> Bool { left.deadline < right.deadline }
    }

    private let interval: TimeAmount
    private let minimumDistance: TimeAmount
    private var generator: any RandomNumberGenerator & Sendable
    private var entries: [Int: Entry] = [:]
    private var queue = Heap<Due>()

    /// What is not asked for begins at multiples of this, so that thousands of pods wake the thread a hundred times a second at most.
    private static let grid = TimeAmount.milliseconds(10)

    init(
        interval: TimeAmount,
        minimumDistance: TimeAmount,
        generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.interval = interval
        self.minimumDistance = minimumDistance
        self.generator = generator
    }

    /// When ``begin(at:)`` has something to do next; nil for never.
    mutating func next() -> NIODeadline? {
        while let first = queue.min {
            if entries[first.key]?.due == first.deadline { return first.deadline }
            queue.removeMin()
        }
        return nil
    }

    /// These are all pods now. The first poll of a new one is due at once; one that is missing is forgotten, with the poll that may be
    /// under way for it.
    mutating func replace(_ pods: [Pod], now: NIODeadline) {
        let keys = Set(pods.lazy.map(\.key))
        entries = entries.filter { keys.contains($0.key) }
        for pod in pods where entries[pod.key] == nil {
            entries[pod.key] = Entry(pod: pod)
            set(now, for: pod.key)
        }
    }

    /// The pods whose polls begin now.
    mutating func begin(at now: NIODeadline) -> [Pod] {
        var pods: [Pod] = []
        while let deadline = next(), deadline <= now, let first = queue.popMin() {
            entries[first.key]!.due = nil
            entries[first.key]!.begun = now
            entries[first.key]!.isWanted = false
            pods.append(entries[first.key]!.pod)
        }
        return pods
    }

    /// The pod's poll ended. The next begins an interval after it began, or as soon as possible where one was asked for.
    mutating func ended(_ pod: Pod, at now: NIODeadline) {
        guard let entry = entries[pod.key], entry.due == nil else { return }
        let regular = max(regularDue(entry, now: now), earliest(entry, now: now))
        let due = entry.isWanted ? earliest(entry, now: now) : regular
        set(due, for: pod.key)
    }

    /// A poll of this pod is asked for.
    mutating func want(_ pod: Pod, now: NIODeadline) {
        guard let entry = entries[pod.key] else { return }
        entries[pod.key]!.isWanted = true
        // Where one is under way, its end decides.
        guard let due = entry.due else { return }
        set(min(due, earliest(entry, now: now)), for: pod.key)
    }

    /// Polls of this pod are to begin that far apart; nil for the configured interval.
    mutating func setInterval(_ interval: TimeAmount?, for pod: Pod, now: NIODeadline) {
        guard var entry = entries[pod.key], entry.interval != interval else { return }
        entry.interval = interval
        entries[pod.key] = entry
        // Before the first poll it stays due at once, as one that was asked for does; while one is under way its end decides.
        guard entry.due != nil, entry.begun != nil, !entry.isWanted else { return }
        set(max(regularDue(entry, now: now), earliest(entry, now: now)), for: pod.key)
    }

    private mutating func set(_ due: NIODeadline, for key: Int) {
        guard entries[key]!.due != due else { return }
        entries[key]!.due = due
        queue.insert(Due(deadline: due, key: key))
    }

    private func earliest(_ entry: Entry, now: NIODeadline) -> NIODeadline {
        guard let begun = entry.begun else { return now }
        return max(now, begun + minimumDistance)
    }

    /// 90 to 100 % of the interval after the last one began, on the grid.
    private mutating func regularDue(_ entry: Entry, now: NIODeadline) -> NIODeadline {
        let interval = (entry.interval ?? interval).nanoseconds
        let jittered = interval - Int64.random(in: 0...max(interval / 10, 1), using: &generator)
        let due = (entry.begun ?? now) + .nanoseconds(jittered)
        let grid = UInt64(Self.grid.nanoseconds)
        return interval < 4 * Self.grid.nanoseconds ? due : .uptimeNanoseconds(due.uptimeNanoseconds / grid * grid)
    }
}
