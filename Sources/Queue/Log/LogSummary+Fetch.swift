import Core
import GRDB

extension LogSummary {
    /// Whether an open request was dispatched.
    static let openState = """
        (r.pod IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.request = r.id))
        """
    /// The last pod.
    static let pod = """
        coalesce(o.pod, (SELECT a.pod FROM attempts a WHERE a.request = r.id ORDER BY a.number DESC LIMIT 1), r.pod)
        """
    static let sql = """
        SELECT r.id, coalesce(o.state, \(openState)) AS state, o.reason, o.detail, r.method, r.target, r.route, o.status,
            \(pod) AS last_pod,
            coalesce(o.attempts, (r.pod IS NOT NULL) + (SELECT count(*) FROM attempts a WHERE a.request = r.id)) AS attempts,
            r.client, r.priority, r.replay_of, r.replay_job, r.body_bytes, o.answer_bytes, r.accepted_at, o.ended_at, o.hold, o.first_byte,
            o.upstream, o.total
        FROM requests r LEFT JOIN outcomes o ON o.request = r.id
        WHERE r.id = ?
        """

    static func fetch(_ db: Database, id: Int64) throws -> LogSummary? {
        let statement = try db.cachedStatement(sql: sql)
        return try Row.fetchOne(statement, arguments: [id]).map(LogSummary.init)
    }

    private init(_ row: Row) {
        id = RequestID(rawValue: row["id"])
        state = RequestState(rawValue: row["state"]) ?? .failed
        reason = (row["reason"] as String?).flatMap(EndReason.init(rawValue:))
        detail = row["detail"]
        method = row["method"]
        target = row["target"]
        routeID = row["route"]
        status = row["status"]
        podID = row["last_pod"]
        attempts = row["attempts"]
        clientAddress = row["client"]
        priority = RequestPriority(rawValue: row["priority"]) ?? .live
        replayOf = (row["replay_of"] as Int64?).map(RequestID.init(rawValue:))
        replayJob = (row["replay_job"] as Int64?).map(ReplayJobID.init(rawValue:))
        bodyBytes = row["body_bytes"]
        answerBytes = row["answer_bytes"]
        acceptedMilliseconds = row["accepted_at"]
        endedMilliseconds = row["ended_at"]
        hold = Self.duration(row["hold"])
        firstByte = Self.duration(row["first_byte"])
        upstream = Self.duration(row["upstream"])
        total = Self.duration(row["total"])
    }

    private static func duration(_ microseconds: Int64?) -> Duration? {
        microseconds.map { .microseconds($0) }
    }
}
