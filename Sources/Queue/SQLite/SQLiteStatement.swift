import CSQLite

/// A prepared statement; lives as long as its connection at most.
final class SQLiteStatement {
    let handle: OpaquePointer
    private let connection: SQLiteConnection

    /// Adopts a prepared statement.
    init(_ handle: OpaquePointer, connection: SQLiteConnection) {
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    // MARK: Binding

    @inline(__always)
    func bind(_ index: Int32, _ value: Int64) {
        sqlite3_bind_int64(handle, index, value)
    }

    @inline(__always)
    func bind(_ index: Int32, _ value: Int64?) {
        if let value { sqlite3_bind_int64(handle, index, value) } else { sqlite3_bind_null(handle, index) }
    }

    func bind(_ index: Int32, real value: Double) {
        sqlite3_bind_double(handle, index, value)
    }

    @inline(__always)
    func bindNull(_ index: Int32) {
        sqlite3_bind_null(handle, index)
    }

    /// Binds memory that stays as it is until the statement is reset: SQLite does not copy it.
    @inline(__always)
    func bind(_ index: Int32, unmovedText bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            sqlite3_bind_text(handle, index, "", 0, nil)
            return
        }
        sqlite3_bind_text(handle, index, base.assumingMemoryBound(to: CChar.self), Int32(bytes.count), nil)
    }

    /// Binds memory that stays as it is until the statement is reset: SQLite does not copy it.
    @inline(__always)
    func bind(_ index: Int32, unmovedBlob bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else {
            sqlite3_bind_zeroblob(handle, index, 0)
            return
        }
        sqlite3_bind_blob(handle, index, base, Int32(bytes.count), nil)
    }

    /// Binds a copy of a text; for what is not the hot path.
    func bind(_ index: Int32, _ text: String) {
        // SQLITE_TRANSIENT: SQLite makes a copy of its own.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { characters in
                _ = sqlite3_bind_text(handle, index, characters.baseAddress, Int32(characters.count), transient)
            }
        }
    }

    // MARK: Running

    /// Goes on to the next row. After the last one the statement is to be reset; after an error it is already: what is bound to one that
    /// is not would be left as it was (https://sqlite.org/c3ref/bind_blob.html).
    /// - Returns: Whether there is a row.
    func step() throws(SQLiteFailure) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code:
            let failure = SQLiteFailure(code: code, handle: connection.handle)
            sqlite3_reset(handle)
            throw failure
        }
    }

    /// Runs a statement without rows and resets it.
    @inline(__always)
    func run() throws(SQLiteFailure) {
        let code = sqlite3_step(handle)
        guard code == SQLITE_DONE || code == SQLITE_ROW else {
            let failure = SQLiteFailure(code: code, handle: connection.handle)
            sqlite3_reset(handle)
            throw failure
        }
        sqlite3_reset(handle)
    }

    @inline(__always)
    func reset() {
        sqlite3_reset(handle)
    }

    // MARK: Columns

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func text(_ column: Int32) -> String? {
        guard let text = sqlite3_column_text(handle, column) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }
}
