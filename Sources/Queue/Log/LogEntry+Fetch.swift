import Core
import Foundation
import GRDB
import NIOCore

extension LogEntry {
    static func fetch(_ db: Database, id: RequestID, spool: BodySpool) throws -> LogEntry? {
        guard let summary = try LogSummary.fetch(db, id: id.rawValue),
            let request = try StoredRequest.fetch(db, id: id, spool: spool)
        else { return nil }
        let attempts = try LogAttempt.fetch(db, id: id, summary: summary, firstPod: request.firstPod)
        return LogEntry(
            summary: summary,
            needs: request.needs,
            fields: request.fields.pairs,
            withheld: request.withheld,
            body: request.body,
            attempts: attempts,
            timeline: timeline(summary, attempts),
            answer: try LogAnswer.fetch(db, id: id),
            replays: try Int64.fetchAll(
                db,
                sql: "SELECT id FROM requests WHERE replay_of = ? ORDER BY id",
                arguments: [id.rawValue]
            ).map(RequestID.init(rawValue:))
        )
    }

    private static func timeline(_ summary: LogSummary, _ attempts: [LogAttempt]) -> [LogEvent] {
        var events: [LogEvent] = []
        if summary.state != .rejected {
            events.append(LogEvent(milliseconds: summary.acceptedMilliseconds, state: .queued, podID: nil))
        }
        for attempt in attempts {
            events.append(LogEvent(milliseconds: attempt.milliseconds, state: .dispatched, podID: attempt.podID))
        }
        if let ended = summary.endedMilliseconds {
            events.append(LogEvent(milliseconds: ended, state: summary.state, podID: nil))
        }
        return events
    }
}

extension LogAttempt {
    fileprivate static func fetch(
        _ db: Database,
        id: RequestID,
        summary: LogSummary,
        firstPod: String?
    ) throws -> [LogAttempt] {
        var attempts: [LogAttempt] = []
        if let firstPod {
            attempts.append(LogAttempt(number: 1, podID: firstPod, milliseconds: summary.acceptedMilliseconds))
        }
        let rows = try Row.fetchAll(
            db,
            sql: "SELECT number, pod, at FROM attempts WHERE request = ? ORDER BY number",
            arguments: [id.rawValue]
        )
        return attempts + rows.map { LogAttempt(number: $0[0], podID: $0[1], milliseconds: $0[2]) }
    }
}

extension LogAnswer {
    fileprivate static func fetch(_ db: Database, id: RequestID) throws -> LogAnswer? {
        let sql = """
            SELECT answer_status, answer_withheld, answer_fields, answer_body FROM outcomes
            WHERE request = ? AND answer_status IS NOT NULL
            """
        guard let row = try Row.fetchOne(db, sql: sql, arguments: [id.rawValue]) else { return nil }
        return LogAnswer(
            status: row[0],
            fields: HeaderFields(stored: row[2] ?? Data()).pairs,
            withheld: (row[1] as String?).withheldNames,
            body: (row[3] as Data?).map { ByteBuffer(bytes: $0) }
        )
    }
}
