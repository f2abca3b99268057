import CSQLite

/// A connection of SQLite's C interface, owned by one thread at a time: what the hot path is written with.
///
/// Opened without SQLite's own mutexes; `@unchecked Sendable` only so that the thread that opens it can hand it to the one that owns it.
final class SQLiteConnection: @unchecked Sendable {
    let handle: OpaquePointer
    let path: String
    private var isOpen = true

    /// - Parameter busyTimeout: How long a lock of another process is waited for, in milliseconds.
    init(path: String, busyTimeout: Int32) throws(SQLiteFailure) {
        var opened: OpaquePointer?
        let code = sqlite3_open_v2(
            path,
            &opened,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
            nil
        )
        guard code == SQLITE_OK, let opened else {
            let failure = SQLiteFailure(code: code, handle: opened)
            sqlite3_close_v2(opened)
            throw failure
        }
        handle = opened
        self.path = path
        sqlite3_busy_timeout(opened, busyTimeout)
    }

    deinit { close() }

    /// Closes it before it is let go. Statements that are still there keep the file open.
    func close() {
        guard isOpen else { return }
        isOpen = false
        sqlite3_close_v2(handle)
    }

    /// Runs one or more statements, without their rows.
    func execute(_ sql: String) throws(SQLiteFailure) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw SQLiteFailure(code: code, handle: handle) }
    }

    /// The first column of the first row; nil without a row or where it is NULL.
    func integer(_ sql: String) throws(SQLiteFailure) -> Int64? {
        let statement = try prepare(sql)
        defer { statement.reset() }
        guard try statement.step(), !statement.isNull(0) else { return nil }
        return statement.integer(0)
    }

    func prepare(_ sql: String) throws(SQLiteFailure) -> SQLiteStatement {
        var prepared: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard code == SQLITE_OK, let prepared else { throw SQLiteFailure(code: code, handle: handle) }
        return SQLiteStatement(prepared, connection: self)
    }

    /// Runs `body` in a transaction that has the write lock from its beginning.
    func transaction<Result>(_ body: () throws -> Result) throws -> Result {
        try execute("BEGIN IMMEDIATE")
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            if isInTransaction { try? execute("ROLLBACK") }
            throw error
        }
    }

    /// False after an error that made SQLite roll back by itself.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// Rows that the last statement inserted, changed or removed.
    var changes: Int { Int(sqlite3_changes(handle)) }
}

/// What SQLite answered when it was not OK.
struct SQLiteFailure: Error, CustomStringConvertible {
    /// The extended result code.
    let code: Int32
    let message: String

    init(code: Int32, handle: OpaquePointer?) {
        self.code = code
        message =
            handle.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? String(cString: sqlite3_errstr(code))
    }

    /// A refusal of our own, as if by a constraint.
    init(constraint message: String) {
        code = SQLITE_CONSTRAINT
        self.message = message
    }

    /// The primary result code.
    var primary: Int32 { code & 0xFF }

    /// A row that a key or a type refused: the statement's fault, the transaction goes on.
    var isConstraint: Bool { primary == SQLITE_CONSTRAINT || primary == SQLITE_MISMATCH || primary == SQLITE_TOOBIG }

    /// No room on the disk.
    var isFull: Bool { primary == SQLITE_FULL }

    /// What the journal tells those who wait.
    var problem: StorageProblem {
        StorageProblem(isFull ? .full : .broken, description)
    }

    var description: String { "SQLite error \(code): \(message)" }
}
