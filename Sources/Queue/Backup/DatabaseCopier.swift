import CSQLite

/// Copies the database while it is written to, a few pages at a time, with SQLite's backup interface
/// (https://sqlite.org/c3ref/backup_finish.html). Used on the writer's thread.
///
/// It reads through the writer's own connection: what that writes meanwhile SQLite writes to the copy too. Through any other connection each
/// commit would make it begin anew, so under load it would never end; and one transaction over the whole copy would keep the
/// WAL from being used again for as long as that takes.
final class DatabaseCopier: @unchecked Sendable {
    // `@unchecked`: made, used and ended on the writer's thread.

    private let target: SQLiteConnection
    private var backup: OpaquePointer?

    /// - Parameter path: A file that exists and is empty.
    init(of source: SQLiteConnection, to path: String) throws(SQLiteFailure) {
        target = try SQLiteConnection(path: path, busyTimeout: 0)
        // It is read once and removed: a crash leaves nothing that anyone would want.
        try target.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE")
        backup = sqlite3_backup_init(target.handle, "main", source.handle, "main")
        guard backup != nil else { throw SQLiteFailure(code: sqlite3_errcode(target.handle), handle: target.handle) }
    }

    deinit { end() }

    /// Copies until a time, by the monotonic clock. Outside of any transaction of the source.
    /// - Returns: Whether all is copied.
    func step(until deadline: Int64) throws(SQLiteFailure) -> Bool {
        repeat {
            switch sqlite3_backup_step(backup, 32) {
            case SQLITE_OK: continue
            case SQLITE_DONE:
                end()
                return true
            case SQLITE_BUSY, SQLITE_LOCKED:
                // Somebody outside writes: later.
                return false
            case let code: throw SQLiteFailure(code: code, handle: target.handle)
            }
        } while monotonicNanoseconds() < deadline
        return false
    }

    /// Ends it, finished or not.
    func end() {
        guard let backup else { return }
        sqlite3_backup_finish(backup)
        self.backup = nil
        target.close()
    }
}
