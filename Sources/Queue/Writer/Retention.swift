import Core

/// The files of bodies, as far as retention needs to know them.
protocol SpooledBytes: Sendable {
    /// Of all files.
    var byteCount: Int64 { get }
    /// Of one; 0 where there is none.
    func byteCount(of name: String) -> Int64
}

/// Removes what is too old, and the oldest where the database is too large; gives space back. In slices between two commits.
///
/// Goes by the order of ids, which is that of arrival, and touches ended requests only. Used on the writer's thread.
final class Retention {
    struct Limits: Sendable {
        var rowAge: Duration
        var bodyAge: Duration
        var databaseBytes: Int64
        /// Free pages that are kept for rows to come: growing a file again costs more than keeping it.
        var sparePages: Int64 = 1024
    }

    typealias Removed = RowRemoval.Removed

    /// A slice ends after this, its commit aside; in nanoseconds.
    static let sliceLength: Int64 = 3_000_000
    /// Between two slices, so that rows come first.
    static let pause: Int64 = 20_000_000
    /// The same, where the database is far over its bound: removing has to be faster than what comes.
    static let urgentPause: Int64 = 3_000_000
    /// Between two passes.
    static let interval: Int64 = 10_000_000_000
    /// Between two looks at the size.
    static let sizeInterval: Int64 = 1_000_000_000
    /// The name of the mark below which no ended request has a body.
    static let mark = "bodies_removed"

    /// What the pass under way does next.
    private enum Step {
        case rows(before: Int64)
        /// `isAlone`: between two passes.
        case size(isAlone: Bool)
        /// Those of `late`, from a place in it on.
        case late(from: Int, before: Int64)
        case bodies(after: Int64, before: Int64)
        case vacuum
    }

    private let connection: SQLiteConnection
    private let limits: Limits
    private let spool: any SpooledBytes
    private let milliseconds: @Sendable () -> Int64
    private let ended: SQLiteStatement
    private let removal: RowRemoval
    private let pageSize: Int64
    private var step: Step?
    private var clock = AgeClock()
    /// Up to which id passes have come; nil for the mark that the last run left.
    private var passed: Int64?
    /// Requests below that which were open when a pass went by, in order: their bodies go in a later one.
    private var late: [Int64] = []
    private var nextPass: Int64 = 0
    private var isFarOver = false
    /// Ended requests whose bodies were looked for.
    private(set) var looks = 0
    /// When the next slice is due, by the monotonic clock.
    private(set) var nextSlice: Int64

    init(
        _ connection: SQLiteConnection,
        limits: Limits,
        spool: any SpooledBytes,
        milliseconds: @escaping @Sendable () -> Int64 = wallClockMilliseconds
    ) throws(SQLiteFailure) {
        self.connection = connection
        self.limits = limits
        self.spool = spool
        self.milliseconds = milliseconds
        ended = try connection.prepare(Self.findEnded)
        removal = try RowRemoval(connection)
        pageSize = try connection.integer("PRAGMA page_size") ?? 4096
        nextSlice = monotonicNanoseconds() + Self.pause
    }

    /// Ended requests between two ids, oldest first.
    static let findEnded = "SELECT request FROM outcomes WHERE request > ?1 AND request < ?2 ORDER BY request LIMIT ?3"

    var isDue: Bool { monotonicNanoseconds() >= nextSlice }

    /// Whether a pass has begun and not ended.
    var isUnderWay: Bool { step != nil }

    /// Begins a pass with the next slice.
    func begin() {
        step = .rows(before: cutoff(limits.rowAge))
        nextPass = monotonicNanoseconds() + Self.interval
    }

    /// Does one slice, in a transaction of its own.
    /// - Parameters:
    ///   - open: The requests that have not ended.
    ///   - largestID: Of all rows; those with a larger one are still to come.
    func slice(open: OpenRequests, largestID: Int64) throws -> Removed {
        let now = monotonicNanoseconds()
        nextSlice = now + Self.pause
        if step == nil {
            if now >= nextPass { begin() } else { step = .size(isAlone: true) }
        }
        guard let step else { return Removed() }
        let (removed, next) = try connection.transaction { try run(step, open: open, largestID: largestID) }
        self.step = next
        if next == nil {
            nextSlice = monotonicNanoseconds() + Self.sizeInterval
        } else if isFarOver {
            nextSlice = monotonicNanoseconds() + Self.urgentPause
        }
        return removed
    }

    /// A slice could not be done: the pass begins anew later, with nothing taken for done.
    func failed() {
        step = nil
        passed = nil
        late = []
        nextPass = monotonicNanoseconds() + Self.interval
        nextSlice = nextPass
    }

    private func run(_ step: Step, open: OpenRequests, largestID: Int64) throws -> (Removed, Step?) {
        var removed = Removed()
        let until = monotonicNanoseconds() + Self.sliceLength
        switch step {
        case .rows(let before):
            let last = try forEachEnded(after: 0, before: before, until: until) { try removal.remove($0, &removed) }
            return (removed, last == nil ? .size(isAlone: false) : step)
        case .size(let isAlone):
            guard try removeOldest(until: until, &removed) else { return (removed, step) }
            // What is not committed yet has a larger id, and would be passed by unseen.
            return (removed, isAlone ? nil : .late(from: 0, before: min(cutoff(limits.bodyAge), largestID + 1)))
        case .late(let from, let before):
            if let next = try removeLate(from: from, open: open, until: until, &removed) {
                return (removed, .late(from: next, before: before))
            }
            let after = try passed ?? connection.integer("SELECT value FROM marks WHERE name = '\(Self.mark)'") ?? 0
            if after + 1 < before { late += open.ids(in: (after + 1)..<before) }
            return (removed, .bodies(after: after, before: before))
        case .bodies(let after, let before):
            let last = try forEachEnded(after: after, before: before, until: until) {
                looks += 1
                try removal.removeBody($0, &removed)
            }
            if let last { return (removed, .bodies(after: last, before: before)) }
            passed = max(passed ?? 0, before - 1)
            // The next run knows of none that was open now: it looks at all from the first of them on.
            let mark = min(before, open.lowest ?? before) - 1
            try connection.execute("INSERT OR REPLACE INTO marks (name, value) VALUES ('\(Self.mark)', \(mark))")
            return (removed, .vacuum)
        case .vacuum:
            let free = try connection.integer("PRAGMA freelist_count") ?? 0
            let pages = try connection.integer("PRAGMA page_count") ?? 0
            guard free > max(limits.sparePages, pages / 8) else { return (removed, nil) }
            let vacuum = try connection.prepare("PRAGMA incremental_vacuum(64)")
            while try vacuum.step() {}
            return (removed, .vacuum)
        }
    }

    /// Requests that are looked for at once.
    private static let batch = 32

    /// Removes the oldest ended requests until the rest is within the bound, or the time is up. The size is asked for again after each batch,
    /// and after each file.
    /// - Returns: Whether it is done: within the bound, or nothing left that may go.
    private func removeOldest(until: Int64, _ removed: inout Removed) throws -> Bool {
        // Still there until the slice is committed, and then counted as gone.
        var fileBytes: Int64 = 0
        isFarOver = try usedBytes() - limits.databaseBytes / 32 > limits.databaseBytes
        while try usedBytes() - fileBytes > limits.databaseBytes {
            let ids = try endedRequests(after: 0, before: .max)
            guard !ids.isEmpty else {
                // Only what waits or runs is left.
                isFarOver = false
                return true
            }
            let files = removed.files.count
            for id in ids where removed.files.count == files { try removal.remove(id, &removed) }
            fileBytes += removed.files[files...].reduce(0) { $0 + spool.byteCount(of: $1) }
            if monotonicNanoseconds() >= until { return false }
        }
        return true
    }

    /// Looks again at those that were open when a pass went by.
    /// - Returns: Where to go on; nil where all are done.
    private func removeLate(
        from first: Int,
        open: OpenRequests,
        until: Int64,
        _ removed: inout Removed
    ) throws -> Int? {
        var index = first
        while index < late.count {
            if !open.contains(late[index]) {
                looks += 1
                try removal.removeBody(late[index], &removed)
                late[index] = 0
            }
            index += 1
            if index.isMultiple(of: Self.batch), monotonicNanoseconds() >= until { return index }
        }
        late.removeAll { $0 == 0 }
        return nil
    }

    private func endedRequests(after: Int64, before: Int64) throws(SQLiteFailure) -> [Int64] {
        var ids: [Int64] = []
        ended.bind(1, after)
        ended.bind(2, before)
        ended.bind(3, Int64(Self.batch))
        while try ended.step() { ids.append(ended.integer(0)) }
        ended.reset()
        return ids
    }

    /// Calls `body` for ended requests in order, until the time is up.
    /// - Returns: Where to go on; nil where all are done.
    private func forEachEnded(
        after: Int64,
        before: Int64,
        until: Int64,
        _ body: (Int64) throws -> Void
    ) throws -> Int64? {
        var after = after
        while true {
            let ids = try endedRequests(after: after, before: before)
            for id in ids { try body(id) }
            guard let last = ids.last, ids.count == Self.batch else { return nil }
            after = last
            if monotonicNanoseconds() >= until { return after }
        }
    }

    /// What rows and bodies take, free pages aside.
    private func usedBytes() throws -> Int64 {
        let pages = try connection.integer("PRAGMA page_count") ?? 0
        let free = try connection.integer("PRAGMA freelist_count") ?? 0
        return (pages - free) * pageSize + spool.byteCount
    }

    /// The smallest id that is younger than an age.
    private func cutoff(_ age: Duration) -> Int64 {
        let now = clock.now(wall: milliseconds(), monotonic: monotonicNanoseconds())
        return RequestID.lowest(atMilliseconds: now - age.components.seconds * 1000).rawValue
    }
}
