import Core
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Queue

@Suite("A backup is a whole copy of the database, taken while it is written to", .timeLimit(.minutes(2)))
struct BackupTests {
    private func save(_ backup: DatabaseBackup, to folder: TemporaryFolder) async throws {
        var data = Data()
        while let part = try await backup.read() { data.append(contentsOf: part.readableBytesView) }
        #expect(data.count == Int(backup.byteCount))
        try data.write(to: URL(filePath: folder.database))
    }

    private func names(_ folder: TemporaryFolder) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.path))
    }

    @Test("under steady writing it comes to its end, has every row that was there, and the log is begun anew meanwhile")
    func underLoad() async throws {
        let test = try TestQueue(
            checkpoints: Checkpointer.Limits(passiveFrames: 50, restartFrames: 150, behindFrames: 65_536)
        )
        let body = RequestBody.memory(ByteBuffer(repeating: 0x61, count: 200_000))
        for _ in 0..<100 { try await test.insert(test.request(body: body)) }
        let isDone = NIOLockedValueBox(false)
        let restarted = test.eventLoop.makePromise(of: Void.self)
        async let writing: (written: Int, restarts: Int) = {
            var written = 0
            var restarts = 0
            var frames = 0
            while !isDone.withLockedValue({ $0 }) {
                try await test.insert(test.request("/while", body: .memory(ByteBuffer(repeating: 0x62, count: 3000))))
                written += 1
                let now = test.queue.statistics.walFrames
                if now < frames {
                    restarts += 1
                    restarted.succeed()
                }
                frames = now
            }
            restarted.succeed()
            return (written, restarts)
        }()
        // Nothing is copied until the log was begun anew: a copy that kept it from that would never end.
        let backup = try await test.queue.backup(clock: ClockOfEvents { try await restarted.futureResult.get() })
        isDone.withLockedValue { $0 = true }
        let (written, restarts) = try await writing
        #expect(restarts > 0)
        let copy = try TemporaryFolder()
        try await save(backup, to: copy)
        #expect(try copy.rows("PRAGMA integrity_check") == [["ok"]])
        #expect(try copy.rows("SELECT count(*) FROM requests WHERE target = '/'") == [["100"]])
        let meanwhile = try #require(
            Int(copy.rows("SELECT count(*) FROM requests WHERE target = '/while'")[0][0] ?? "")
        )
        #expect(meanwhile <= written)
        await test.close()
        let opened = try TestQueue(in: copy)
        #expect(try opened.rows("SELECT count(*) FROM outcomes WHERE state = 6") == [["\(100 + meanwhile)"]])
        await opened.close()
    }

    @Test("its file has no name once it is taken, and only one is taken at a time")
    func oneAtATime() async throws {
        let test = try TestQueue()
        try await test.insert()
        var backup: DatabaseBackup? = try await test.queue.backup()
        #expect(try names(test.folder).contains("queue.db.backup") == false)
        let error = await #expect(throws: QueueError.self) { try await test.queue.backup() }
        #expect(error?.code == .busy)
        #expect(try await backup?.read() != nil)
        backup = nil
        let next = try await test.queue.backup()
        #expect(next.byteCount > 0)
        await test.close()
    }

    @Test("one that is given up leaves nothing behind, nor does one that a crash cut off")
    func leavesNothing() async throws {
        let test = try TestQueue()
        let body = RequestBody.memory(ByteBuffer(repeating: 0x61, count: 200_000))
        for _ in 0..<200 { try await test.insert(test.request(body: body)) }
        let task = Task { try await test.queue.backup() }
        task.cancel()
        _ = try? await task.value
        #expect(try !names(test.folder).contains("queue.db.backup"))
        try await test.insert()
        await test.close()
        try Data("left".utf8).write(to: URL(filePath: test.folder.database + ".backup"))
        let again = try TestQueue(in: test.folder)
        #expect(try !names(test.folder).contains("queue.db.backup"))
        await again.close()
    }
}

/// A clock whose pauses last until something has happened.
private struct ClockOfEvents: Clock {
    typealias Instant = ContinuousClock.Instant

    let event: @Sendable () async throws -> Void

    var now: Instant { .now }
    var minimumResolution: Duration { .nanoseconds(1) }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws { try await event() }
}
