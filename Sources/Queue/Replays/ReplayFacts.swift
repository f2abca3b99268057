package import Core
import GRDB

/// What decides whether a request may be sent again, without its bytes.
package struct ReplayFacts: Sendable, Hashable {
    package var id: RequestID
    package var state: RequestState
    /// nil where this program does not know it.
    package var method: RequestMethod?
    /// Names of fields and query parameters (these with a leading `?`) whose values were not kept.
    package var withheld: [String]
    /// Whether it had a body that is no longer there.
    package var isBodyMissing: Bool
    /// Whether another row stands for it in a bulk replay: the newest of its replays that a pod may have had or that waits, or, where it is a
    /// replay itself that no pod ever saw, the request that it was to repeat. So the same bulk replay twice does not send anything twice as
    /// often as before.
    package var isReplayed: Bool

    package init(
        id: RequestID,
        state: RequestState,
        method: RequestMethod?,
        withheld: [String] = [],
        isBodyMissing: Bool = false,
        isReplayed: Bool = false
    ) {
        self.id = id
        self.state = state
        self.method = method
        self.withheld = withheld
        self.isBodyMissing = isBodyMissing
        self.isReplayed = isReplayed
    }

    /// Whether a pod may have begun it: repeating may do it twice.
    package var mayHaveRun: Bool {
        switch state {
        case .dispatched, .completed, .failed, .interrupted, .cancelled: true
        case .queued, .expired, .abandoned, .rejected: false
        }
    }
}

extension ReplaySource {
    package var facts: ReplayFacts {
        ReplayFacts(id: id, state: state, method: method, withheld: withheld, isBodyMissing: isBodyMissing)
    }
}

extension ReplayFacts {
    /// Whether a body that there was is neither in the row nor named by one. `typeof` spares reading it (OPFLAG_TYPEOFARG).
    static let bodyMissing = """
        (r.body_bytes > 0 AND typeof(r.body) = 'null' AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.request = r.id))
        """
    /// ``isReplayed``. Replays that no pod ever saw are expired, abandoned or cancelled: nobody can leave one while a pod has it.
    static let replayed = """
        (CASE WHEN EXISTS (
            SELECT 1 FROM requests p LEFT JOIN outcomes q ON q.request = p.id
            WHERE p.replay_of = r.id AND coalesce(q.state, 0) NOT IN (\(unsent))
        ) THEN 1 ELSE r.replay_of IS NOT NULL AND coalesce(o.state, 0) IN (\(unsent))
            AND EXISTS (SELECT 1 FROM requests s WHERE s.id = r.replay_of) END)
        """
    private static let unsent = [RequestState.expired, .abandoned, .cancelled, .rejected]
        .map { "\($0.rawValue)" }.joined(separator: ", ")
    static let sql = """
        SELECT coalesce(o.state, \(LogSummary.openState)), r.method, r.withheld, \(bodyMissing), \(replayed)
        FROM requests r LEFT JOIN outcomes o ON o.request = r.id
        WHERE r.id = ?
        """

    static func fetch(_ db: Database, id: Int64) throws -> ReplayFacts? {
        guard let row = try Row.fetchOne(db.cachedStatement(sql: sql), arguments: [id]) else { return nil }
        return ReplayFacts(
            id: RequestID(rawValue: id),
            state: RequestState(rawValue: row[0]) ?? .failed,
            method: RequestMethod(rawValue: row[1]),
            withheld: (row[2] as String?).withheldNames,
            isBodyMissing: row[3],
            isReplayed: row[4]
        )
    }
}
