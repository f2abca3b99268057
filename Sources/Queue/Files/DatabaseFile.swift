import CSQLite
import Glibc
import Migrations

/// The checks that a database passes before it is opened, and its opening, so that what is wrong is told in words with the path.
enum DatabaseFile {
    /// How long the writer waits for a lock, in milliseconds: nobody of ours writes beside it, but a person's shell may for a moment.
    static let busyTimeout: Int32 = 2000

    /// Looks at the folder and the file, which is made where it is missing, for its owner only.
    static func prepare(path: String) throws(QueueError) {
        let folder = parent(of: path)
        var status = stat()
        guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw QueueError(.unwritable, "the folder \(folder) of the database \(path) does not exist")
        }
        if let kind = NetworkFileSystem.kind(of: folder) {
            throw QueueError(
                .networkMount,
                """
                the database \(path) is on a network file system (\(kind)), where SQLite's write-ahead log does not work; \
                use a local disk
                """
            )
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            throw QueueError(
                .unwritable,
                "the folder \(folder) of the database \(path) cannot be written: \(errnoText())"
            )
        }
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw QueueError(.unwritable, "the database \(path) cannot be opened: \(errnoText())")
        }
        defer { close(descriptor) }
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw QueueError(.unwritable, "the database \(path) is not a file")
        }
    }

    /// The path without links on its way, so that a database has one lock, however it is called. Of a file that is there.
    static func resolved(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Brings the database to this program's schema.
    static func migrate(path: String, schema: QueueSchema = .current) throws(QueueError) -> [String] {
        do {
            return try schema.migrate(path: path)
        } catch let error as MigrationError {
            let code: QueueError.Code =
                switch error.code {
                case .corrupt, .foreign: .corrupt
                case .tooNew: .tooNew
                case .locked: .locked
                case .unwritable: .unwritable
                case .failed: .migration
                }
            throw QueueError(code, error.message, cause: error.cause)
        } catch {
            throw QueueError(.migration, "the database \(path) cannot be migrated", cause: error)
        }
    }

    /// Opens the writer's connection. The order matters: `wal_autocheckpoint` replaces the hook of whoever sets one, so it comes first.
    /// - Parameter checkpoints: A log that has grown to more than twice what it is begun anew at is cut back to that.
    static func openWriter(
        _ configuration: QueueConfiguration,
        checkpoints: Checkpointer.Limits = Checkpointer.Limits()
    ) throws(SQLiteFailure) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: configuration.databasePath, busyTimeout: busyTimeout)
        try connection.execute("PRAGMA journal_mode = WAL")
        try connection.execute("PRAGMA synchronous = \(configuration.synchronous.rawValue)")
        try connection.execute("PRAGMA wal_autocheckpoint = 0")
        try connection.execute("PRAGMA journal_size_limit = \(checkpoints.restartFrames * 2 * 4096)")
        try connection.execute("PRAGMA cache_size = -16384; PRAGMA temp_store = memory; PRAGMA foreign_keys = off")
        return connection
    }

    /// Opens the checkpointer's connection. It never waits for a lock: it would hold SQLite's write lock meanwhile.
    static func openCheckpointer(_ configuration: QueueConfiguration) throws(SQLiteFailure) -> SQLiteConnection {
        let connection = try SQLiteConnection(path: configuration.databasePath, busyTimeout: 0)
        try connection.execute(
            "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = \(configuration.synchronous.rawValue)"
        )
        // Before its first read a connection does not know that there is a WAL, and its checkpoints do nothing.
        _ = try connection.integer("SELECT count(*) FROM sqlite_master")
        return connection
    }

    /// Looks for damage for as long as `milliseconds`; a database too large for that is looked at in part.
    static func check(_ connection: SQLiteConnection, milliseconds: Int64 = 500) throws {
        let deadline = Deadline(at: monotonicNanoseconds() + milliseconds * 1_000_000)
        sqlite3_progress_handler(
            connection.handle,
            10_000,
            { context in
                let deadline = Unmanaged<Deadline>.fromOpaque(context!).takeUnretainedValue()
                return monotonicNanoseconds() >= deadline.time ? 1 : 0
            },
            Unmanaged.passUnretained(deadline).toOpaque()
        )
        defer { sqlite3_progress_handler(connection.handle, 0, nil, nil) }
        try withExtendedLifetime(deadline) {
            do {
                let check = try connection.prepare("PRAGMA quick_check(1)")
                guard try check.step(), let finding = check.text(0), finding != "ok" else { return }
                throw QueueError(.corrupt, "the database \(connection.path) is damaged: \(finding)")
            } catch let error as SQLiteFailure where error.primary == SQLITE_INTERRUPT {
                return
            }
        }
    }

    /// The words for what SQLite answered while the database was opened.
    static func error(_ failure: SQLiteFailure, path: String) -> QueueError {
        switch failure.primary {
        case SQLITE_NOTADB, SQLITE_CORRUPT: QueueError(.corrupt, "the database \(path) is damaged", cause: failure)
        case SQLITE_BUSY, SQLITE_LOCKED:
            QueueError(.locked, "the database \(path) is locked by another process", cause: failure)
        default: QueueError(.unwritable, "the database \(path) cannot be opened", cause: failure)
        }
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private final class Deadline {
        let time: Int64
        init(at time: Int64) { self.time = time }
    }
}
