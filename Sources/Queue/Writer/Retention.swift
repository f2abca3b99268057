import Core

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
    private let spoolBytes: @Sendable () -> Int64
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
        spoolBytes: @escaping @Sendable () -> Int64,
        milliseconds: @escaping @Sendable () -> Int64 = wallClockMilliseconds
    ) throws(SQLiteFailure) {
        self.connection = connection
        self.limits = limits
        self.spoolBytes = spoolBytes
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
        guard let step = try step ?? begin() else { return Removed() }
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

    /// The first step of a pass.
    private func begin() throws -> Step? {
        let mark = try connection.integer("SELECT value FROM marks WHERE name = '\(Self.mark)'") ?? 0
        return .bodies(after: mark, before: cutoff(limits.bodyAge))
    }

    private func run(_ step: Step, lowWater: Int64) throws -> (Removed, Step?) {
        var removed = Removed()
        let until = monotonicNanoseconds() + Self.sliceLength
        switch step {
        case .bodies(let after, let before):
            let last = try forEachEnded(after: after, before: before, until: until) {
                try removal.removeBody($0, &removed)
            }
            if let last { return (removed, .bodies(after: last, before: before)) }
            // One that ends later must be found again.
            let mark = min(before, lowWater) - 1
            try connection.execute("INSERT OR REPLACE INTO marks (name, value) VALUES ('\(Self.mark)', \(mark))")
            return (removed, .rows(before: cutoff(limits.rowAge)))
        case .rows(let before):
            let last = try forEachEnded(after: 0, before: before, until: until) { try removal.remove($0, &removed) }
            return (removed, last == nil ? .size : step)
        case .size:
            guard try usedBytes() > limits.databaseBytes else { return (removed, .vacuum) }
            let last = try forEachEnded(
                after: 0,
                before: .max,
                until: until,
                enough: { try usedBytes() <= limits.databaseBytes }
            ) { try removal.remove($0, &removed) }
            return (removed, last == nil && removed.requests == 0 ? .vacuum : .size)
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

    /// Calls `body` for ended requests in order, until the time is up, or it is enough, which is asked once a batch.
    /// - Returns: Where to go on; nil where all are done.
    private func forEachEnded(
        after: Int64,
        before: Int64,
        until: Int64,
        enough: () throws -> Bool = { false },
        _ body: (Int64) throws -> Void
    ) throws -> Int64? {
        var after = after
        while true {
            var ids: [Int64] = []
            ended.bind(1, after)
            ended.bind(2, before)
            ended.bind(3, Int64(Self.batch))
            while try ended.step() { ids.append(ended.integer(0)) }
            ended.reset()
            for id in ids { try body(id) }
            guard let last = ids.last, ids.count == Self.batch else { return nil }
            after = last
            if try monotonicNanoseconds() >= until || enough() { return after }
        }
    }

    /// What rows and bodies take, free pages aside.
    private func usedBytes() throws -> Int64 {
        let pages = try connection.integer("PRAGMA page_count") ?? 0
        let free = try connection.integer("PRAGMA freelist_count") ?? 0
        return (pages - free) * pageSize + spoolBytes()
    }

    /// The smallest id that is younger than an age.
    private func cutoff(_ age: Duration) -> Int64 {
        RequestID.lowest(atMilliseconds: milliseconds() - age.components.seconds * 1000).rawValue
    }
}
