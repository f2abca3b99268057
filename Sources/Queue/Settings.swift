import NIOConcurrencyHelpers

/// Keeps what operators set, each change with its record in ``ChangeLog``: both are written, or neither.
package final class Settings: Sendable {
    private let current: NIOLockedValueBox<OperatorControls>
    private let buffer: WriterBuffer

    /// Reads what is there.
    init(_ connection: SQLiteConnection, buffer: WriterBuffer) throws(SQLiteFailure) {
        self.buffer = buffer
        var controls = OperatorControls()
        let select = try connection.prepare("SELECT name, subject, value FROM settings")
        while try select.step() {
            controls.take(
                StoredControl(name: select.text(0) ?? "", subject: select.text(1) ?? "", value: select.integer(2))
            )
        }
        current = NIOLockedValueBox(controls)
    }

    /// What is set now.
    package var controls: OperatorControls { current.withLockedValue { $0 } }

    /// Changes what is set, all of it or nothing. Durable, and in ``controls``, when this returns. What was so before is no change,
    /// and not recorded.
    /// - Returns: What was recorded.
    /// - Throws: ``QueueError`` where it could not be written; then nothing has changed.
    @discardableResult
    package func apply(_ changes: [ControlChange], by author: ChangeAuthor) async throws -> [ChangeRecord] {
        let stored = changes.map(\.stored)
        let recorded = NIOLockedValueBox<[ChangeRecord]>([])
        do {
            try await buffer.perform { connection in
                let records = try changes.compactMap { try Self.write($0, by: author, connection) }
                recorded.withLockedValue { $0 = records }
            } committed: { [current] in
                // On the writer's thread, so in the order of the commits.
                current.withLockedValue { controls in
                    for value in stored { controls.take(value) }
                }
            }
        } catch let error as SQLiteFailure {
            throw QueueError(.storage, "what was set cannot be written", cause: error)
        }
        return recorded.withLockedValue { $0 }
    }

    /// Makes a database's settings those that are in force. In a transaction of the caller's, on the writer's thread.
    func store(_ connection: SQLiteConnection) throws {
        try connection.execute("DELETE FROM settings")
        let insert = try connection.prepare(
            "INSERT INTO settings (name, subject, value, changed_at) VALUES (?1, ?2, ?3, ?4)"
        )
        for stored in controls.stored {
            guard let value = stored.value else { continue }
            insert.bind(1, stored.name)
            insert.bind(2, stored.subject)
            insert.bind(3, value)
            insert.bind(4, wallClockMilliseconds())
            try insert.run()
        }
    }

    /// - Returns: How it was recorded; nil where it was so before.
    private static func write(
        _ change: ControlChange,
        by author: ChangeAuthor,
        _ connection: SQLiteConnection
    ) throws -> ChangeRecord? {
        let stored = change.stored
        let select = try connection.prepare("SELECT value FROM settings WHERE name = ?1 AND subject = ?2")
        select.bind(1, stored.name)
        select.bind(2, stored.subject)
        let before = try select.step() ? select.integer(0) : nil
        select.reset()
        guard before != stored.value else { return nil }
        let statement = try connection.prepare(
            stored.value == nil
                ? "DELETE FROM settings WHERE name = ?1 AND subject = ?2"
                : "INSERT OR REPLACE INTO settings (name, subject, value, changed_at) VALUES (?1, ?2, ?3, ?4)"
        )
        statement.bind(1, stored.name)
        statement.bind(2, stored.subject)
        if let value = stored.value {
            statement.bind(3, value)
            statement.bind(4, wallClockMilliseconds())
        }
        try statement.run()
        let record = change.record(before: before)
        try ChangeLog.write(record, by: author, connection)
        return record
    }
}
