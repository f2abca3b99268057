import Core
import Foundation
import Glibc
import NIOCore
import Testing

@testable import Queue

@Suite(
    "A database whose files are taken away is noticed, and opened again without a restart",
    .timeLimit(.minutes(2))
)
struct DatabaseFilesTests {
    /// Inserts until a commit succeeds.
    /// - Returns: Why those before failed.
    @discardableResult
    private func insertUntilWell(_ test: TestQueue, _ target: String) async -> [StorageProblem] {
        var problems: [StorageProblem] = []
        while true {
            let receipt = Receipt(on: test.eventLoop)
            test.journal.insert(test.request(target), pod: .at(1), receiver: receipt)
            guard let problem = await receipt.failure() else { return problems }
            problems.append(problem)
        }
    }

    /// Inserts until one fails, since what happened to the files is looked for every 100 ms.
    private func insertUntilNoticed(_ test: TestQueue) async {
        while true {
            let receipt = Receipt(on: test.eventLoop)
            test.journal.insert(test.request("/lost"), pod: .at(1), receiver: receipt)
            if await receipt.failure() != nil { return }
        }
    }

    private func targets(_ test: TestQueue) throws -> [String?] {
        try test.rows("SELECT DISTINCT target FROM requests ORDER BY id").map { $0[0] }
    }

    @Test("removed: refused for a second, then a new one with the same settings; what waits is sent with its row")
    func removed() async throws {
        let test = try TestQueue()
        try await test.queue.settings.apply(
            [.holdTimeout(.seconds(7), route: "GET /a"), .pause(route: "GET /b")],
            by: ChangeAuthor(name: "admin", client: "127.0.0.1")
        )
        let waiting = test.request("/waits")
        try await test.insert(waiting)
        let running = try await test.insert("/runs", pod: .at(1))
        unlink(test.folder.database)
        await insertUntilNoticed(test)
        let problems = await insertUntilWell(test, "/after")
        #expect(!problems.isEmpty)
        #expect(problems.allSatisfy { $0.code == .broken && $0.description.contains("was removed") })
        #expect(test.journal.unavailable == nil)
        try await test.attempt(waiting, number: 1, pod: .at(2))
        try await test.end(waiting.id)
        try await test.end(running)
        #expect(
            try test.rows("SELECT target, state, pod FROM request_log WHERE target <> '/after' ORDER BY id")
                == [["/waits", "completed", "http://10.0.0.7:1"]]
        )
        #expect(try test.rows("SELECT name, subject, value FROM settings ORDER BY name").count == 2)
        #expect(try test.rows("PRAGMA integrity_check") == [["ok"]])
        #expect(try await test.queue.log.page().entries.contains { $0.id == waiting.id })
        var status = stat()
        #expect(stat(test.folder.database, &status) == 0 && status.st_mode & 0o777 == 0o600)
        await test.close()

        let again = try TestQueue(in: test.folder)
        #expect(again.queue.settings.controls.holdTimeouts == ["GET /a": .seconds(7)])
        #expect(again.queue.settings.controls.pausedRoutes == ["GET /b"])
        await again.close()
    }

    @Test("moved away: what was committed is in the file, wherever it is; moved back within a second, it is used on")
    func moved() async throws {
        let test = try TestQueue()
        try await test.insert("/before", pod: .at(1))
        let elsewhere = test.folder.database + ".elsewhere"
        rename(test.folder.database, elsewhere)
        await insertUntilNoticed(test)
        rename(elsewhere, test.folder.database)
        await insertUntilWell(test, "/back")
        #expect(try targets(test).contains("/before"))

        rename(test.folder.database, elsewhere)
        await insertUntilNoticed(test)
        await insertUntilWell(test, "/new")
        #expect(try targets(test) == ["/new"])
        let old = try SQLiteConnection(path: elsewhere, busyTimeout: 0)
        #expect(try old.integer("SELECT count(*) FROM requests WHERE target IN ('/before', '/back')") == 2)
        old.close()
        await test.close()
    }

    @Test("replaced by another: that is used, and what it has open and is not under way here is ended")
    func replaced() async throws {
        let source = try TestQueue()
        let left = try await source.insert("/left", pod: .at(1))
        let copy = try source.folder.snapshot()
        await source.close()
        let settled = try TestQueue(in: copy)
        try await settled.insert("/settled")
        await settled.close()

        let test = try TestQueue()
        try await test.insert("/before", pod: .at(1))
        rename(copy.database, test.folder.database)
        await insertUntilNoticed(test)
        await insertUntilWell(test, "/after")
        #expect(try targets(test) == ["/left", "/settled", "/after"])
        #expect(try test.rows("SELECT state FROM request_log WHERE id = \(left.rawValue)") == [["interrupted"]])
        #expect(try test.rows("SELECT state FROM request_log WHERE target = '/settled'") == [["abandoned"]])
        #expect(try test.rows("PRAGMA integrity_check") == [["ok"]])
        await test.close()
    }

    @Test("replaced by one with later ids: what was under way meanwhile is refused, not written out of order")
    func replacedByLater() async throws {
        let source = try TestQueue()
        let later = try await source.insert("/later")
        await source.close()
        let test = try TestQueue()
        // Until one was handed over right before the other was opened: that is seldom the first time.
        for round in 1... {
            let copy = try source.folder.snapshot()
            let shell = try SQLiteConnection(path: copy.database, busyTimeout: 0)
            for table in [("requests", "id"), ("outcomes", "request")] {
                // Years ahead.
                try shell.execute("UPDATE \(table.0) SET \(table.1) = \(later.rawValue + Int64(round) << 58)")
            }
            try shell.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            shell.close()
            rename(copy.database, test.folder.database)
            await insertUntilNoticed(test)
            let problems = await insertUntilWell(test, "/after")
            #expect(try targets(test) == ["/later", "/after"])
            if problems.contains(where: { $0.description.contains("have later ids") }) { break }
        }
        await test.close()
    }

    @Test("removed, and another put there log first: the log is left alone, and its database waited for")
    func logFirst() async throws {
        let source = try TestQueue()
        try await source.insert("/restored", pod: .at(1))
        let copy = try source.folder.snapshot()
        await source.close()
        let test = try TestQueue()
        try await test.insert("/before", pod: .at(1))
        unlink(test.folder.database)
        rename(copy.database + "-wal", test.folder.database + "-wal")
        await insertUntilNoticed(test)
        while test.journal.unavailable?.description.contains("its database is waited for") != true {
            try #require(test.journal.unavailable != nil)
            try await Task.sleep(for: .milliseconds(5))
        }
        rename(copy.database, test.folder.database)
        await insertUntilWell(test, "/after")
        #expect(try targets(test) == ["/restored", "/after"])
        #expect(try test.rows("PRAGMA integrity_check") == [["ok"]])
        await test.close()
    }

    @Test("replaced by what is no database: refused in words for as long as it is there")
    func replacedByRubbish() async throws {
        let test = try TestQueue()
        let rubbish = test.folder.database + ".rubbish"
        _ = FileManager.default.createFile(atPath: rubbish, contents: Data(repeating: 0x61, count: 10_000))
        rename(rubbish, test.folder.database)
        await insertUntilNoticed(test)
        while test.journal.unavailable?.description.contains("is not a SQLite database") != true {
            try #require(test.journal.unavailable != nil)
            await Task.yield()
        }
        await #expect(throws: QueueError.self) { try await test.queue.log.page() }
        await #expect(throws: QueueError.self) { try await test.queue.flush() }
        unlink(test.folder.database)
        await insertUntilWell(test, "/after")
        #expect(try targets(test) == ["/after"])
        await test.close()
    }

    @Test("emptied: a new database is begun in the file", arguments: [false, true])
    func emptied(isRemovedLater: Bool) async throws {
        let test = try TestQueue()
        try await test.insert("/before", pod: .at(1))
        truncate(test.folder.database, 0)
        await insertUntilNoticed(test)
        if isRemovedLater { unlink(test.folder.database) }
        await insertUntilWell(test, "/after")
        #expect(try targets(test) == ["/after"])
        #expect(try test.rows("PRAGMA integrity_check") == [["ok"]])
        await test.close()
    }

    @Test("the log or its shared memory removed: nothing that was committed is lost", arguments: ["-wal", "-shm"])
    func logRemoved(suffix: String) async throws {
        let test = try TestQueue()
        for number in 0..<50 { try await test.insert("/\(number)", pod: .at(1)) }
        unlink(test.folder.database + suffix)
        await insertUntilNoticed(test)
        await insertUntilWell(test, "/after")
        let expected: [String?] = (0..<50).map { "/\($0)" } + ["/after"]
        #expect(try targets(test).filter { $0 != "/lost" } == expected)
        #expect(try test.rows("PRAGMA integrity_check") == [["ok"]])
        await test.close()
    }

    @Test("everything removed, the folder too: refused until the folder is back")
    func folderRemoved() async throws {
        let folder = try TemporaryFolder()
        let inner = folder.path + "/data"
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
        let test = try TestQueue(in: folder) { $0.databasePath = inner + "/queue.db" }
        try FileManager.default.removeItem(atPath: inner)
        await insertUntilNoticed(test)
        while test.journal.unavailable?.description.contains("does not exist") != true { await Task.yield() }
        try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
        await insertUntilWell(test, "/after")
        let body = try await test.spool(ByteBuffer(repeating: 0x63, count: 300_000))
        #expect(FileManager.default.fileExists(atPath: body.path))
        await test.close()
    }

    @Test("a hard link of a database that is in use is refused")
    func hardLink() async throws {
        let test = try TestQueue()
        let other = try TemporaryFolder()
        link(test.folder.database, other.database)
        #expect {
            try RequestQueue.open(QueueConfiguration(databasePath: other.database), logger: quiet)
        } throws: { error in
            guard let error = error as? QueueError else { return false }
            return error.code == .locked && error.message.contains("hard link")
        }
        await test.close()
    }

    @Test("what is there counts after a second without a change, and what comes back at once")
    func watch() {
        let path = FileManager.default.temporaryDirectory.appending(path: "watch-\(UUID())").path
        defer { unlink(path) }
        _ = FileManager.default.createFile(atPath: path, contents: Data("one".utf8))
        let opened = DatabaseFiles(path: path)
        var watch = DatabaseWatch(opened: opened)
        #expect(watch.look(opened, now: 0) == .same)
        var absent = opened
        absent.database = nil
        #expect(watch.look(absent, now: 100) == .changing(.removed))
        #expect(watch.look(opened, now: 200) == .same)
        #expect(watch.look(absent, now: 300) == .changing(.removed))
        #expect(watch.look(absent, now: 300 + DatabaseWatch.settlingTime) == .changed(.removed, found: absent))
        // A copy that grows is not taken before it is whole.
        var copied = opened
        copied.database?.inode += 1
        #expect(watch.look(copied, now: 2_000_000_000) == .changing(.replaced))
        copied.size += 1
        #expect(watch.look(copied, now: 4_000_000_000) == .changing(.replaced))
        #expect(watch.look(copied, now: 5_000_000_000) == .changed(.replaced, found: copied))
    }
}
