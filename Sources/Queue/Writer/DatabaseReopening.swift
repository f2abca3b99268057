import CSQLite
import Logging

/// Gives a running queue the database that is behind its path now, where the one that it had open is not there any more: what a start would
/// find there, or make.
///
/// Used on the writer's thread. Every connection to the old one is closed before any to the new one is opened: SQLite knows a database by
/// its file, and a log and its shared memory by their names.
struct DatabaseReopening {
    let configuration: QueueConfiguration
    let lock: DatabaseLock
    let checkpointer: Checkpointer
    let log: RequestLog
    let settings: Settings
    let spool: BodySpool
    let disk: DatabaseDisk
    let logger: Logger

    /// Closes all but the writer's connection, which is to be closed next.
    /// - Throws: ``QueueError`` where something still reads; then it is to be tried again.
    func closeReaders(_ writer: SQLiteConnection) throws {
        guard !checkpointer.isCopying else { throw QueueError(.busy, "a backup of it is being taken") }
        do {
            try log.closePool()
        } catch {
            throw QueueError(.busy, "it is being read", cause: error)
        }
        checkpointer.detach()
        // Closing, SQLite would move the log's pages into whatever file has the database's name now.
        neutrino_keep_log_on_close(writer.handle)
    }

    /// Moves all that is in the log into the database file that is open, whatever their names are now.
    /// - Parameter waits: For whoever reads it, up to the connection's time; else what can be moved at once is moved.
    /// - Throws: Where not all of it could be moved.
    func rescueLog(_ connection: SQLiteConnection, waits: Bool) throws {
        if !waits { sqlite3_busy_timeout(connection.handle, 0) }
        defer { sqlite3_busy_timeout(connection.handle, DatabaseFile.busyTimeout) }
        var total: Int32 = 0
        var moved: Int32 = 0
        let code = sqlite3_wal_checkpoint_v2(connection.handle, nil, SQLITE_CHECKPOINT_FULL, &total, &moved)
        guard code == SQLITE_OK else { throw SQLiteFailure(code: code, handle: connection.handle) }
        guard moved == total else { throw QueueError(.busy, "it is being read") }
    }

    /// What was opened.
    struct Reopened {
        var session: WriterSession
        var recovery: Recovery
        var files: DatabaseFiles
    }

    /// Opens the database as at a start: makes it where there is none, brings it to this program's schema, and ends what another run has
    /// left open in it.
    /// - Parameter isOpen: Which requests of this process are under way, and not to be ended.
    /// - Throws: ``QueueError`` in words; nothing is open then.
    func open(isOpen: (Int64) -> Bool) throws -> Reopened {
        let path = configuration.databasePath
        try DatabaseFile.prepare(path: path)
        try lock.retake()
        _ = try DatabaseFile.migrate(path: path)
        do {
            let connection = try DatabaseFile.openWriter(configuration, checkpoints: checkpointer.limits)
            try DatabaseFile.check(connection)
            let recovery = try Recovery.run(
                connection,
                milliseconds: wallClockMilliseconds(),
                keepsReplays: false,
                isUnderWay: isOpen
            )
            try connection.transaction { try settings.store(connection) }
            let session = try WriterSession(connection, configuration: configuration, spool: spool, disk: disk)
            try log.openPool()
            checkpointer.attach(try DatabaseFile.openCheckpointer(configuration), writer: connection)
            return Reopened(session: session, recovery: recovery, files: DatabaseFiles(path: path))
        } catch let failure as SQLiteFailure {
            try? log.closePool()
            throw DatabaseFile.error(failure, path: path)
        }
    }
}
