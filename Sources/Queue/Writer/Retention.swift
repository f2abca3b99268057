import Core

/// The files of bodies, as far as retention needs to know them.
protocol SpooledBytes: Sendable {
    /// Of all files.
    var byteCount: Int64 { get }
    /// Of one; 0 where there is none.
    func byteCount(of name: String) -> Int64
}

/// Removes what is too old, and the oldest where the database is too large, for its bound or for its disk; gives space back. In slices
/// between two commits.
///
/// Goes by the order of ids, which is that of arrival, and touches ended requests only. What a bulk replay made stays as long as that has
/// not ended: it knows by these rows what it has sent. Used on the writer's thread.
final class Retention {
    struct Limits: Sendable {
        var rowAge: Duration
        var bodyAge: Duration
        var databaseBytes: Int64
        /// Room on the disk below which the oldest go too, as long as rows and bodies take more than this.
        var diskReserve: Int64 = 0
        /// Free pages that are kept for rows to come: growing a file again costs more than keeping it.
        var sparePages: Int64 = 1024
        /// A slice ends after this, its commit aside; in nanoseconds.
        var sliceLength: Int64 = 3_000_000
    }

    typealias Removed = RowRemoval.Removed

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
    /// The name of the mark that says how far the clock has come by which rows age, in milliseconds since 1970.
    static let clockMark = "age"

    /// What the pass under way does next.
    private enum Step {
        case rowAge
        case rows(before: Int64)
        /// `isAlone`: between two passes.
        case size(isAlone: Bool)
        /// Those of `late`, from a place in it on.
        case late(from: Int, before: Int64)
        case bodyAge
        case bodies(after: Int64, before: Int64)
        case vacuum(isAlone: Bool)
    }

    private let connection: SQLiteConnection
    private let limits: Limits
    private let spool: any SpooledBytes
    private let room: () -> Int64
    private let milliseconds: @Sendable () -> Int64
    private let ended: SQLiteStatement
    private let accepted: SQLiteStatement
    private let saveMark: SQLiteStatement
    private let removal: RowRemoval
    private let pageSize: Int64
    private var step: Step?
    private var clock: AgeClock
    private var rowHorizon = AgeHorizon()
    private var bodyHorizon = AgeHorizon()
    /// Bytes of rows since the last look at the size.
    private var writtenBytes: Int64 = 0
    /// Up to which id passes have come; nil for the mark that the last run left.
    private var passed: Int64?
    /// Requests below that which were open when a pass went by, in order: their bodies go in a later one.
    private var late: [Int64] = []
    private var nextPass: Int64 = 0
    private var isFarOver = false
    /// Ended requests whose bodies were looked for.
    private(set) var looks = 0
    /// Passes that came to their end.
    private(set) var passes = 0
    /// When the next slice is due, by the monotonic clock.
    private(set) var nextSlice: Int64

    /// - Parameter room: What is free on the disk, in bytes.
    init(
        _ connection: SQLiteConnection,
        limits: Limits,
        spool: any SpooledBytes,
        room: @escaping () -> Int64 = { .max },
        milliseconds: @escaping @Sendable () -> Int64 = wallClockMilliseconds
    ) throws(SQLiteFailure) {
        self.connection = connection
        self.limits = limits
        self.spool = spool
        self.room = room
        self.milliseconds = milliseconds
        ended = try connection.prepare(Self.findEnded)
        accepted = try connection.prepare(AgeHorizon.findRows)
        saveMark = try connection.prepare("INSERT OR REPLACE INTO marks (name, value) VALUES (?1, ?2)")
        // Rows of an earlier version have no mark: none is younger than the newest of them.
        var saved = try connection.integer("SELECT value FROM marks WHERE name = '\(Self.clockMark)'")
        if saved == nil {
            saved = try connection.integer("SELECT accepted_at FROM requests ORDER BY id DESC LIMIT 1")
        }
        clock = AgeClock(saved: saved, monotonic: monotonicNanoseconds())
        removal = try RowRemoval(connection)
        pageSize = try connection.integer("PRAGMA page_size") ?? 4096
        nextSlice = monotonicNanoseconds() + Self.pause
    }

    /// Ended requests between two ids, oldest first.
    static let findEnded = """
        SELECT o.request FROM outcomes o WHERE o.request > ?1 AND o.request < ?2
            AND NOT EXISTS (SELECT 1 FROM requests r CROSS JOIN replay_jobs j ON j.id = r.replay_job
                WHERE r.id = o.request AND j.ended_at IS NULL)
        ORDER BY o.request LIMIT ?3
        """

    var isDue: Bool { monotonicNanoseconds() >= nextSlice }

    /// Whether a pass has begun and not ended.
    var isUnderWay: Bool { step != nil }

    /// Begins a pass with the next slice.
    func begin() {
        step = .rowAge
        nextPass = monotonicNanoseconds() + Self.interval
    }

    /// Whether the disk is short of room, and ended requests may go for it.
    var canMakeRoom: Bool { (try? excess(fileBytes: 0)).map { $0 > 0 } ?? false }

    /// So many bytes were written: where they are a good part of what the disk has left, its room is looked at soon.
    func wrote(_ bytes: Int64) {
        writtenBytes += bytes
        if limits.diskReserve > 0, writtenBytes > limits.diskReserve / 16 {
            nextSlice = min(nextSlice, monotonicNanoseconds() + Self.urgentPause)
        }
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
            writtenBytes = 0
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
    /// - Parameter isFull: For want of room, which it may be about to get.
    func failed(isFull: Bool) {
        step = nil
        passed = nil
        late = []
        nextPass = monotonicNanoseconds() + (isFull ? Self.sizeInterval : Self.interval)
        nextSlice = nextPass
    }

    private func run(_ step: Step, open: OpenRequests, largestID: Int64) throws -> (Removed, Step?) {
        var removed = Removed()
        let until = monotonicNanoseconds() + limits.sliceLength
        switch step {
        case .rowAge:
            guard let before = try before(limits.rowAge, &rowHorizon, until: until) else { return (removed, step) }
            return (removed, .rows(before: before))
        case .rows(let before):
            let last = try forEachEnded(after: 0, before: before, until: until) { try removal.remove($0, &removed) }
            return (removed, last == nil ? .size(isAlone: false) : step)
        case .size(let isAlone):
            guard try removeOldest(until: until, &removed) else { return (removed, step) }
            guard isAlone else { return (removed, .bodyAge) }
            return (removed, isTight ? .vacuum(isAlone: true) : nil)
        case .bodyAge:
            guard let before = try before(limits.bodyAge, &bodyHorizon, until: until) else { return (removed, step) }
            // What is not committed yet has a larger id, and would be passed by unseen.
            return (removed, .late(from: 0, before: min(before, largestID + 1)))
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
            try save(Self.mark, mark)
            try save(Self.clockMark, now)
            return (removed, .vacuum(isAlone: false))
        case .vacuum(let isAlone):
            let free = try connection.integer("PRAGMA freelist_count") ?? 0
            let pages = try connection.integer("PRAGMA page_count") ?? 0
            guard free > (isTight ? 64 : max(limits.sparePages, pages / 8)) else {
                if !isAlone { passes += 1 }
                return (removed, nil)
            }
            let vacuum = try connection.prepare("PRAGMA incremental_vacuum(64)")
            while try vacuum.step() {}
            return (removed, step)
        }
    }

    /// Requests that are looked for at once.
    private static let batch = 32

    /// Removes the oldest ended requests until the rest is within the bounds, or the time is up. The size is asked for again after each batch,
    /// and after each file.
    /// - Returns: Whether it is done: within the bounds, or nothing left that may go.
    private func removeOldest(until: Int64, _ removed: inout Removed) throws -> Bool {
        // Still there until the slice is committed, and then counted as gone.
        var fileBytes: Int64 = 0
        isFarOver = try excess(fileBytes: 0) > min(limits.databaseBytes / 32, max(limits.diskReserve / 16, 1 << 20))
        while try excess(fileBytes: fileBytes) > 0 {
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

    /// By how much rows and bodies are over their bounds; negative where they are within them.
    /// - Parameter fileBytes: Of files that go when this is committed.
    private func excess(fileBytes: Int64) throws -> Int64 {
        let pages = try connection.integer("PRAGMA page_count") ?? 0
        let free = try connection.integer("PRAGMA freelist_count") ?? 0
        let used = (pages - free) * pageSize + spool.byteCount - fileBytes
        let overBound = used - limits.databaseBytes
        guard limits.diskReserve > 0 else { return overBound }
        // Where others fill the disk, not everything goes for it.
        let missing = limits.diskReserve - free * pageSize - fileBytes - room()
        return max(overBound, min(missing, used - limits.diskReserve))
    }

    /// Whether the disk is so short of room that free pages are given back to it rather than kept.
    private var isTight: Bool { limits.diskReserve > 0 && room() < limits.diskReserve / 4 * 3 }

    /// By the clock by which rows age, in milliseconds since 1970.
    private var now: Int64 { clock.now(wall: milliseconds(), monotonic: monotonicNanoseconds()) }

    /// The smallest id that is younger than an age; nil where the time was up.
    private func before(_ age: Duration, _ horizon: inout AgeHorizon, until: Int64) throws -> Int64? {
        let now = now
        return try horizon.find(accepted, oldest: now - age.components.seconds * 1000, now: now, until: until)
    }

    private func save(_ name: String, _ value: Int64) throws {
        saveMark.bind(1, name)
        saveMark.bind(2, value)
        try saveMark.run()
    }
}
