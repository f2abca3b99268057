import Core
import Foundation
import Testing

@testable import Queue

@Suite("A database that cannot be used stops the start, with its path and the cause")
struct OpeningTests {
    private func failure(_ path: String) -> QueueError? {
        do {
            let queue = try RequestQueue.open(QueueConfiguration(databasePath: path), logger: quiet)
            queue.closeNow()
            return nil
        } catch {
            return error as? QueueError
        }
    }

    @Test("a second queue on one database is refused, and the holder named; when the first has closed it opens")
    func lock() async throws {
        let test = try TestQueue()
        let error = failure(test.folder.database)
        #expect(error?.code == .locked)
        #expect(error?.message.contains("process \(ProcessInfo.processInfo.processIdentifier) on host") == true)
        #expect(error?.message.contains(test.folder.database) == true)
        await test.close()
        #expect(failure(test.folder.database) == nil)
    }

    @Test("a missing folder, a folder in the file's place and a place where no file can be made are told")
    func unwritable() throws {
        let folder = try TemporaryFolder()
        for path in ["\(folder.path)/missing/queue.db", folder.path, "/proc/queue.db"] {
            let error = failure(path)
            #expect(error?.code == .unwritable, "\(path)")
            #expect(error?.message.contains(path) == true)
        }
    }

    @Test("text, another program's database and pages overwritten with rubbish are told as damage")
    func corrupt() async throws {
        let folder = try TemporaryFolder()
        try Data("Dear diary, today I was no database at all.".utf8).write(to: URL(filePath: folder.database))
        #expect(failure(folder.database)?.code == .corrupt)

        let test = try TestQueue()
        for _ in 0..<200 { try await test.insert("/" + String(repeating: "x", count: 2000)) }
        await test.close()
        let file = try #require(FileHandle(forUpdatingAtPath: test.folder.database))
        try file.seek(toOffset: 20 * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 40 * 4096))
        try file.close()
        let error = failure(test.folder.database)
        #expect(error?.code == .corrupt)
        #expect(error?.message.contains(test.folder.database) == true)
    }

    @Test("files are for their owner only")
    func modes() async throws {
        let test = try TestQueue()
        try await test.insert()
        for name in ["queue.db", "queue.db-wal", "queue.db-shm", "queue.db.lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(test.folder.path)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
        let attributes = try FileManager.default.attributesOfItem(atPath: test.queue.spool.path)
        #expect(attributes[.posixPermissions] as? Int == 0o700)
        await test.close()
    }

    @Test("migrate brings a file to the schema and leaves it closed")
    func migrate() throws {
        let folder = try TemporaryFolder()
        let configuration = QueueConfiguration(databasePath: folder.database)
        #expect(try RequestQueue.migrate(configuration, logger: quiet).first == "001-requests")
        #expect(try RequestQueue.migrate(configuration, logger: quiet) == [])
        #expect(failure(folder.database) == nil)
    }

    @Test(
        "synchronous is what was configured",
        arguments: [(QueueConfiguration.Synchronous.normal, "1"), (.full, "2")]
    )
    func synchronous(mode: QueueConfiguration.Synchronous, value: String) async throws {
        let test = try TestQueue { $0.synchronous = mode }
        try await test.queue.perform { connection in
            let found = try ["synchronous", "auto_vacuum", "wal_autocheckpoint"].map { pragma in
                try connection.integer("PRAGMA \(pragma)").map(String.init)
            }
            #expect(found == [value, "2", "0"])
        }
        await test.close()
    }

    @Test("a FUSE mount is told by its type, and a mount's line is read with its escapes")
    func networkFileSystems() throws {
        #expect(NetworkFileSystem.isNetworkFuse("fuse.sshfs"))
        #expect(NetworkFileSystem.isNetworkFuse("fuse.gcsfuse"))
        #expect(!NetworkFileSystem.isNetworkFuse("fuse.fuse-overlayfs"))
        #expect(!NetworkFileSystem.isNetworkFuse("fuseblk"))
        let line = "36 35 98:0 / /mnt/my\\040disk rw,noatime shared:1 - fuse.sshfs user@host: rw"
        let mount = try #require(NetworkFileSystem.parse(line))
        #expect(mount.point == "/mnt/my disk")
        #expect(mount.type == "fuse.sshfs")
        #expect(NetworkFileSystem.kind(of: NSTemporaryDirectory()) == nil)
    }
}
