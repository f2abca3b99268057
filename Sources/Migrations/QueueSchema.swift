import GRDB

/// The schema of the queue's database: which steps there are, and how a file is brought up to them.
package struct QueueSchema: Sendable {
    /// `NtrG`: what `file(1)` and a program that opens the wrong file can tell it by.
    package static let applicationID: Int32 = 0x4E74_7247

    /// What this program knows.
    package static let current = QueueSchema(migrations: [.requests, .replays, .changes])

    private let migrations: [Migration]

    /// - Precondition: Numbers run from 1 without gaps.
    package init(migrations: [Migration]) {
        for (index, migration) in migrations.enumerated() {
            precondition(migration.number == index + 1, "migrations are numbered from 1 without gaps")
            precondition((1...migration.number).contains(migration.oldestProgram))
        }
        self.migrations = migrations
    }

    /// The newest step's number: what this program is, as far as the database is concerned.
    package var generation: Int { migrations.count }

    /// Opens a database, or makes it in an empty file, and runs the steps that it lacks, each in a transaction of its own.
    ///
    /// The file is in WAL mode afterwards. The oldest program that may use it is its `user_version`.
    /// - Parameters:
    ///   - path: A file that exists; it may be empty.
    ///   - busyTimeout: How many seconds a lock of another process is waited for.
    /// - Returns: The identifiers of the steps that were run.
    /// - Throws: ``MigrationError``.
    package func migrate(path: String, busyTimeout: Double = 2) throws -> [String] {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(busyTimeout)
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            defer { try? queue.close() }
            try queue.inDatabase { try prepare($0, path: path) }
            let before = try queue.read { try migrator.appliedIdentifiers($0) }
            try migrator.migrate(queue)
            return migrations.map(\.identifier).filter { !before.contains($0) }
        } catch let error as MigrationError {
            throw error
        } catch let error as DatabaseError {
            throw MigrationError(path: path, error)
        }
    }

    /// Checks that the file is ours and not too new, and sets what can only be set before the first table is made.
    private func prepare(_ db: Database, path: String) throws {
        let owner = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let isEmpty = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0
        if owner == Self.applicationID {
            let oldestProgram = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            guard oldestProgram <= generation else {
                throw MigrationError(
                    .tooNew,
                    """
                    the database \(path) was written by a newer version: it needs a program that knows its schema \
                    \(oldestProgram), this one knows up to \(generation); run the newer program, or another DATABASE_PATH
                    """
                )
            }
        } else if owner != 0 || !isEmpty {
            throw MigrationError(.foreign, "\(path) is a database of another program, not a request queue")
        } else {
            // In this order: the first write fixes whether there is room for what incremental vacuum needs.
            try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            try db.execute(sql: "PRAGMA application_id = \(Self.applicationID)")
        }
        let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
        guard mode == "wal" else {
            throw MigrationError(
                .failed,
                "the database \(path) cannot be used in WAL mode: its file system has no shared memory for it"
            )
        }
    }

    private var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for migration in migrations {
            migrator.registerMigration(migration.identifier, foreignKeyChecks: .immediate) { db in
                try db.execute(sql: migration.sql)
                // Kept in a transaction with the step. Never lowered: the file may have steps that this program does not know.
                let oldest = max(migration.oldestProgram, try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0)
                try db.execute(sql: "PRAGMA user_version = \(oldest)")
            }
        }
        return migrator
    }
}
