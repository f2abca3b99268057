import Core

/// Finds up to which request, in the order of ids, all are older than an age.
///
/// Where ids run with the clock, the clock's own smallest id is the answer. After a clock that was ahead for a moment they do not: ids go on from
/// where it was, and say a later time than their rows do. Then rows are looked at, each by the time in it. One that says a time
/// to come was written while the clock was ahead: it is as old as the rows around it, and goes with the first one behind it
/// that is too old.
struct AgeHorizon {
    /// Every request up to here is old.
    private var reached: Int64 = 0
    /// Every row between ``reached`` and this one says a time to come.
    private var lookedAt: Int64 = 0

    /// Rows that are looked at between two looks at the time.
    private static let batch = 256

    static let findRows = "SELECT id, accepted_at FROM requests WHERE id > ?1 ORDER BY id LIMIT ?2"

    /// - Parameters:
    ///   - rows: ``findRows``.
    ///   - oldest: What was accepted before this is too old; in milliseconds since 1970, as `now`.
    ///   - until: By the monotonic clock; then it is to be called again.
    /// - Returns: The smallest id that is not too old; nil where the time was up before it was found.
    mutating func find(
        _ rows: SQLiteStatement,
        oldest: Int64,
        now: Int64,
        until: Int64
    ) throws(SQLiteFailure) -> Int64? {
        // No id says less than its row.
        reached = max(reached, RequestID.lowest(atMilliseconds: oldest).rawValue - 1)
        lookedAt = max(lookedAt, reached)
        while true {
            rows.bind(1, lookedAt)
            rows.bind(2, Int64(Self.batch))
            defer { rows.reset() }
            var count = 0
            while try rows.step() {
                let (id, accepted) = (rows.integer(0), rows.integer(1))
                guard accepted < oldest || accepted > now else { return reached + 1 }
                if accepted < oldest { reached = id }
                lookedAt = id
                count += 1
            }
            guard count == Self.batch else { return reached + 1 }
            guard monotonicNanoseconds() < until else { return nil }
        }
    }
}
