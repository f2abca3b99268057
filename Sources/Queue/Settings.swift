import NIOConcurrencyHelpers

/// Operators' values that survive a restart: hold timeouts per route id.
package final class Settings: Sendable {
    private static let holdTimeout = "hold_timeout"

    private let values: NIOLockedValueBox<[String: Duration]>
    private let buffer: WriterBuffer

    /// Reads what is there.
    init(_ connection: SQLiteConnection, buffer: WriterBuffer) throws(SQLiteFailure) {
        self.buffer = buffer
        var values: [String: Duration] = [:]
        let select = try connection.prepare("SELECT subject, value FROM settings WHERE name = '\(Self.holdTimeout)'")
        while try select.step() {
            values[select.text(0) ?? ""] = .microseconds(select.integer(1))
        }
        self.values = NIOLockedValueBox(values)
    }

    /// All that are set, by route id.
    package var holdTimeouts: [String: Duration] { values.withLockedValue { $0 } }

    /// Sets a route's hold timeout, or gives it back with nil. Durable when this returns.
    /// - Throws: ``QueueError`` where it could not be written; then nothing has changed.
    package func setHoldTimeout(_ timeout: Duration?, for routeID: String) async throws {
        do {
            try await buffer.perform { connection in
                let statement = try connection.prepare(
                    timeout == nil
                        ? "DELETE FROM settings WHERE name = ?1 AND subject = ?2"
                        : "INSERT OR REPLACE INTO settings (name, subject, value, changed_at) VALUES (?1, ?2, ?3, ?4)"
                )
                statement.bind(1, Self.holdTimeout)
                statement.bind(2, routeID)
                if let timeout {
                    statement.bind(3, Int64(timeout / .microseconds(1)))
                    statement.bind(4, wallClockMilliseconds())
                }
                try statement.run()
            }
        } catch let error as SQLiteFailure {
            throw QueueError(.storage, "the setting of \(routeID) cannot be written", cause: error)
        }
        values.withLockedValue { $0[routeID] = timeout }
    }
}
