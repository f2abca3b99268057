import GRDB

/// What operators did, newest first: append only, the last ``kept`` of it.
package final class ChangeLog: Sendable {
    /// The oldest of more are removed when one is added.
    package static let kept: Int64 = 10_000

    private let buffer: WriterBuffer
    private let log: RequestLog

    init(buffer: WriterBuffer, log: RequestLog) {
        self.buffer = buffer
        self.log = log
    }

    /// Records what has no setting to be recorded with. Durable when this returns.
    /// - Throws: ``QueueError``.
    package func record(_ change: ChangeRecord, by author: ChangeAuthor) async throws {
        do {
            try await buffer.perform { try Self.write(change, by: author, $0) }
        } catch let error as SQLiteFailure {
            throw QueueError(.storage, "the change cannot be recorded", cause: error)
        }
    }

    /// Some of them, newest first.
    /// - Parameter before: ``ChangePage/next`` of the page before; nil for the first.
    /// - Throws: ``QueueError``.
    package func page(before: Int64? = nil, limit: Int) async throws -> ChangePage {
        try await log.read { db in
            let statement = try db.cachedStatement(sql: Self.page)
            let rows = try Row.fetchAll(statement, arguments: [before ?? .max, limit + 1])
            let changes = rows.prefix(limit).map(RecordedChange.init)
            return ChangePage(changes: changes, next: rows.count > limit ? changes.last?.id : nil)
        }
    }

    static let page = """
        SELECT id, at, action, subject, before, after, client, author FROM changes WHERE id < ? ORDER BY id DESC LIMIT ?
        """
    static let trim = "DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - ?1"

    /// Adds a row; within a transaction, on the writer's thread.
    static func write(_ change: ChangeRecord, by author: ChangeAuthor, _ connection: SQLiteConnection) throws {
        let insert = try connection.prepare(
            """
            INSERT INTO changes (at, action, subject, before, after, client, author) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            """
        )
        insert.bind(1, wallClockMilliseconds())
        for (index, text) in [
            change.action.rawValue, change.subject, change.from, change.to, author.client, author.name,
        ].enumerated() {
            if let text { insert.bind(Int32(index + 2), text) } else { insert.bindNull(Int32(index + 2)) }
        }
        try insert.run()
        let trim = try connection.prepare(Self.trim)
        trim.bind(1, Self.kept)
        try trim.run()
    }
}

/// A page of ``ChangeLog``.
package struct ChangePage: Sendable {
    package var changes: [RecordedChange]
    /// `before` of the next page; nil at the end.
    package var next: Int64?
}

extension RecordedChange {
    fileprivate init(_ row: Row) {
        self.init(
            id: row["id"],
            milliseconds: row["at"],
            change: ChangeRecord(
                ChangeAction(rawValue: row["action"]),
                of: row["subject"],
                from: row["before"],
                to: row["after"]
            ),
            author: ChangeAuthor(name: row["author"], client: row["client"])
        )
    }
}
