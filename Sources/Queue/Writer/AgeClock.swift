/// The clock by which rows grow old: the wall clock, but where that is set forward, it follows at twice its own pace at most. A clock that
/// was wrong for an hour, or when the gateway was started, must not have removed a week of rows.
struct AgeClock {
    private var last: (age: Int64, monotonic: Int64)?

    /// - Parameters:
    ///   - saved: What an earlier run's said last, in milliseconds since 1970: it goes on from there. nil for a first run.
    ///   - monotonic: In nanoseconds.
    init(saved: Int64? = nil, monotonic: Int64 = 0) {
        last = saved.map { ($0, monotonic) }
    }

    /// - Parameters:
    ///   - wall: In milliseconds since 1970.
    ///   - monotonic: In nanoseconds.
    /// - Returns: Milliseconds since 1970.
    mutating func now(wall: Int64, monotonic: Int64) -> Int64 {
        var now = wall
        if let last { now = min(wall, last.age + 2 * (monotonic - last.monotonic) / 1_000_000) }
        last = (now, monotonic)
        return now
    }
}
