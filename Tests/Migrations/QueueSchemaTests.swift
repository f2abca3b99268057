import Foundation
import GRDB
import Testing

@testable import Migrations

@Suite("A database is brought up to the program's schema, and never to an older one")
struct QueueSchemaTests {
    /// A file that is there and empty, as the queue hands it over.
    private final class File {
        let path: String
        private let folder: URL

        init() throws {
            folder = FileManager.default.temporaryDirectory.appending(path: "migrations-\(UUID())")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            path = folder.appending(path: "queue.db").path
            try Data().write(to: URL(filePath: path))
        }

        deinit { try? FileManager.default.removeItem(at: folder) }
    }

    private func query<Value: DatabaseValueConvertible>(_ path: String, _ sql: String) throws -> Value? {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try queue.read { try Value.fetchOne($0, sql: sql) }
    }

    private static let first = Migration(number: 1, name: "one", oldestProgram: 1, sql: "CREATE TABLE one (a)")
    private static let second = Migration(number: 2, name: "two", oldestProgram: 2, sql: "CREATE TABLE two (a)")
    private static let harmless = Migration(number: 2, name: "two", oldestProgram: 1, sql: "CREATE TABLE two (a)")
    private static let broken = Migration(
        number: 2,
        name: "broken",
        oldestProgram: 2,
        sql: "CREATE TABLE half (a); CREATE TABLE one (a)"
    )

    @Test("an empty file gets every step, our mark, WAL mode and incremental vacuum; a second run does nothing")
    func freshFile() throws {
        let file = try File()
        let steps = try QueueSchema.current.migrate(path: file.path)
        #expect(steps.first == "001-requests")
        #expect(steps.count == QueueSchema.current.generation)
        #expect(try query(file.path, "PRAGMA application_id") == Int(QueueSchema.applicationID))
        #expect(try query(file.path, "PRAGMA auto_vacuum") == 2)
        #expect(try query(file.path, "PRAGMA journal_mode") == "wal")
        #expect(try query(file.path, "PRAGMA user_version") == 1)
        #expect(try QueueSchema.current.migrate(path: file.path) == [])
    }

    @Test("a file of an older program gets the steps that it lacks and keeps its rows")
    func olderFile() throws {
        let file = try File()
        #expect(try QueueSchema(migrations: [Self.first]).migrate(path: file.path) == ["001-one"])
        let queue = try DatabaseQueue(path: file.path)
        try queue.write { try $0.execute(sql: "INSERT INTO one VALUES (7)") }
        try queue.close()
        #expect(try QueueSchema(migrations: [Self.first, Self.second]).migrate(path: file.path) == ["002-two"])
        #expect(try query(file.path, "SELECT a FROM one") == 7)
        #expect(try query(file.path, "PRAGMA user_version") == 2)
    }

    @Test(
        "a file that needs a newer program is refused in words that name the path and both versions, and stays as it is"
    )
    func newerFile() throws {
        let file = try File()
        _ = try QueueSchema(migrations: [Self.first, Self.second]).migrate(path: file.path)
        let error = #expect(throws: MigrationError.self) {
            try QueueSchema(migrations: [Self.first]).migrate(path: file.path)
        }
        #expect(error?.code == .tooNew)
        #expect(error?.message.contains(file.path) == true)
        #expect(error?.message.contains("schema 2") == true)
        #expect(error?.message.contains("up to 1") == true)
        #expect(try query(file.path, "SELECT count(*) FROM sqlite_master WHERE name = 'two'") == 1)
    }

    @Test("a file with newer steps that an older program may ignore is opened by it, and keeps its mark")
    func compatibleNewerFile() throws {
        let file = try File()
        _ = try QueueSchema(migrations: [Self.first, Self.harmless]).migrate(path: file.path)
        #expect(try QueueSchema(migrations: [Self.first]).migrate(path: file.path) == [])
        #expect(try query(file.path, "PRAGMA user_version") == 1)
    }

    @Test("a step that fails leaves nothing of itself behind, and the steps before it in place")
    func failingStep() throws {
        let file = try File()
        let error = #expect(throws: MigrationError.self) {
            try QueueSchema(migrations: [Self.first, Self.broken]).migrate(path: file.path)
        }
        #expect(error?.code == .failed)
        #expect(try query(file.path, "SELECT count(*) FROM sqlite_master WHERE name = 'half'") == 0)
        #expect(try query(file.path, "PRAGMA user_version") == 1)
        #expect(try QueueSchema(migrations: [Self.first, Self.second]).migrate(path: file.path) == ["002-two"])
    }

    @Test("a database of another program is left alone")
    func foreignDatabase() throws {
        let file = try File()
        let queue = try DatabaseQueue(path: file.path)
        try queue.write { try $0.execute(sql: "CREATE TABLE theirs (a)") }
        try queue.close()
        let error = #expect(throws: MigrationError.self) { try QueueSchema.current.migrate(path: file.path) }
        #expect(error?.code == .foreign)
        #expect(try query(file.path, "SELECT count(*) FROM sqlite_master") == 1)
    }

    @Test("what is no database is refused")
    func noDatabase() throws {
        let file = try File()
        try Data(repeating: 0x41, count: 10_000).write(to: URL(filePath: file.path))
        let error = #expect(throws: MigrationError.self) { try QueueSchema.current.migrate(path: file.path) }
        #expect(error?.code == .corrupt)
        #expect(error?.message.contains(file.path) == true)
    }

    @Test("a file that another process is writing to is told as locked")
    func lockedDatabase() throws {
        let file = try File()
        _ = try QueueSchema(migrations: [Self.first]).migrate(path: file.path)
        let other = try DatabaseQueue(path: file.path)
        try other.inDatabase { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            let error = #expect(throws: MigrationError.self) {
                try QueueSchema(migrations: [Self.first, Self.second]).migrate(path: file.path, busyTimeout: 0.05)
            }
            #expect(error?.code == .locked)
            try db.execute(sql: "ROLLBACK")
        }
    }
}
