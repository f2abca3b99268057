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
    /// Between two passes.
    static let interval: Int64 = 10_000_000_000
    /// The name of the mark below which no ended request has a body.
    static let mark = "bodies_removed"

    /// What the pass under way does next.
    private enum Step {
        case bodies(after: Int64, before: Int64)
        case rows(before: Int64)
        case size
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

    /// Does one slice, in a transaction of its own.
    /// - Parameter lowWater: The smallest id that may be open.
    func slice(lowWater: Int64) throws -> Removed {
        nextSlice = monotonicNanoseconds() + Self.pause
        let step = step ?? .rows(before: cutoff(limits.rowAge))
        let (removed, next) = try connection.transaction { try run(step, lowWater: lowWater) }
        self.step = next
        if next == nil { nextSlice = monotonicNanoseconds() + Self.interval }
        return removed
    }

    /// A slice could not be done: the pass begins anew later.
    func failed() {
        step = nil
        nextSlice = monotonicNanoseconds() + Self.interval
    }

    private func run(_ step: Step, lowWater: Int64) throws -> (Removed, Step?) {
        var removed = Removed()
        let until = monotonicNanoseconds() + Self.sliceLength
        switch step {
        case .rows(let before):
            let last = try forEachEnded(after: 0, before: before, until: until) { try removal.remove($0, &removed) }
            return (removed, last == nil ? .size : step)
        case .size:
            guard try removeOldest(until: until, &removed) else { return (removed, .size) }
            let mark = try connection.integer("SELECT value FROM marks WHERE name = '\(Self.mark)'") ?? 0
            return (removed, .bodies(after: mark, before: cutoff(limits.bodyAge)))
        case .bodies(let after, let before):
            let last = try forEachEnded(after: after, before: before, until: until) {
                try removal.removeBody($0, &removed)
            }
            if let last { return (removed, .bodies(after: last, before: before)) }
            // One that ends later must be found again.
            let mark = min(before, lowWater) - 1
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
        while try usedBytes() - fileBytes > limits.databaseBytes {
            let ids = try endedRequests(after: 0, before: .max)
            guard !ids.isEmpty else { return true }
            let files = removed.files.count
            for id in ids where removed.files.count == files { try removal.remove(id, &removed) }
            fileBytes += removed.files[files...].reduce(0) { $0 + spool.byteCount(of: $1) }
            if monotonicNanoseconds() >= until { return false }
        }
        return true
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
        RequestID.lowest(atMilliseconds: milliseconds() - age.components.seconds * 1000).rawValue
    }
}
