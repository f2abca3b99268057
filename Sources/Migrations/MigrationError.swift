import GRDB

/// Why a database cannot be brought to this program's schema; the message names its path.
package struct MigrationError: Error, Sendable, CustomStringConvertible {
    package enum Code: Hashable, Sendable {
        /// No SQLite database, or a damaged one.
        case corrupt
        /// A database of another program.
        case foreign
        /// Written by a program that this one cannot follow.
        case tooNew
        /// Another process is writing to it.
        case locked
        /// The disk or a permission.
        case unwritable
        case failed
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    init(path: String, _ error: DatabaseError) {
        switch error.resultCode {
        case .SQLITE_NOTADB:
            self.init(.corrupt, "\(path) is not a SQLite database", cause: error)
        case .SQLITE_CORRUPT:
            self.init(.corrupt, "the database \(path) is damaged", cause: error)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.locked, "the database \(path) is locked by another process", cause: error)
        case .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_IOERR, .SQLITE_FULL:
            self.init(.unwritable, "the database \(path) cannot be written", cause: error)
        default:
            self.init(.failed, "the database \(path) cannot be migrated", cause: error)
        }
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}
