import Core

/// What a start does for the requests that the last run left open.
struct Recovery {
    /// The name of the low-water mark.
    static let mark = "low_water"

    /// Ended as `abandoned`: no pod ever saw them.
    var abandoned = 0
    /// Ended as `interrupted`: a pod may have begun them.
    var interrupted = 0
    /// Replays that were not dispatched yet: they go on waiting.
    var waiting: [RequestID] = []
    /// 0 for none.
    var largestID: Int64 = 0

    /// Ends what is open, in one transaction. Looks at no row below the low-water mark.
    /// - Parameters:
    ///   - keepsReplays: Whether replays that were not dispatched are left to go on waiting.
    ///   - isUnderWay: Requests of this process, which are left alone.
    static func run(
        _ connection: SQLiteConnection,
        milliseconds: Int64,
        keepsReplays: Bool = true,
        isUnderWay: (Int64) -> Bool = { _ in false }
    ) throws -> Recovery {
        try connection.transaction {
            var recovery = Recovery()
            recovery.largestID = try connection.integer("SELECT max(id) FROM requests") ?? 0
            let find = try connection.prepare(Self.findOpen)
            let end = try connection.prepare(
                """
                INSERT INTO outcomes (request, state, reason, pod, attempts, ended_at, answer_bytes)
                VALUES (?1, ?2, '\(EndReason.gatewayEnded.rawValue)', ?3, ?4, ?5, 0)
                """
            )
            while try find.step() {
                let id = find.integer(0)
                if isUnderWay(id) { continue }
                let attempts = find.integer(1)
                let isReplay = find.integer(3) == Int64(RequestPriority.replay.rawValue)
                if keepsReplays, attempts == 0, isReplay, find.isNull(4) {
                    recovery.waiting.append(RequestID(rawValue: id))
                    continue
                }
                let state: RequestState = attempts == 0 ? .abandoned : .interrupted
                if attempts == 0 { recovery.abandoned += 1 } else { recovery.interrupted += 1 }
                end.bind(1, id)
                end.bind(2, Int64(state.rawValue))
                if let pod = find.text(2) { end.bind(3, pod) } else { end.bindNull(3) }
                end.bind(4, attempts)
                end.bind(5, milliseconds)
                try end.run()
            }
            return recovery
        }
    }

    /// Id, dispatches, last pod, priority and withheld names of what has no outcome. A replay that lacks credentials cannot go on.
    static let findOpen = """
        SELECT r.id,
            (r.pod IS NOT NULL) + (SELECT count(*) FROM attempts a WHERE a.request = r.id),
            coalesce((SELECT a.pod FROM attempts a WHERE a.request = r.id ORDER BY a.number DESC LIMIT 1), r.pod),
            r.priority,
            r.withheld
        FROM requests r
        WHERE r.id >= coalesce((SELECT value FROM marks WHERE name = '\(mark)'), 0)
            AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.request = r.id)
        ORDER BY r.id
        """
}
