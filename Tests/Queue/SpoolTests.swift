import Core
import Dispatch
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import Queue

extension TestQueue {
    /// Spools a body, in parts of 64 KiB.
    func spool(_ bytes: ByteBuffer) async throws -> SpooledBody {
        let finished = eventLoop.flatSubmit {
            let writer = self.queue.spool.open(on: self.eventLoop)
            var bytes = bytes
            while let part = bytes.readSlice(length: min(65_536, max(bytes.readableBytes, 1))) {
                _ = writer.write(part)
            }
            return writer.finish()
        }
        return try await finished.get()
    }

    var spooledFiles: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: queue.spool.path))?.sorted() ?? []
    }
}

@Suite("Large bodies are files beside the database while they arrive")
struct SpoolTests {
    private func body(_ count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
    }

    @Test("a body's parts are written in order to a file that only its owner may read", arguments: ["normal", "full"])
    func writesInOrder(synchronous: String) async throws {
        let test = try TestQueue { $0.synchronous = .init(rawValue: synchronous) ?? .normal }
        let bytes = body(1_000_000)
        let spooled = try await test.spool(bytes)
        #expect(spooled.byteCount == 1_000_000)
        #expect(FileManager.default.contents(atPath: spooled.path) == Data(bytes.readableBytesView))
        let attributes = try FileManager.default.attributesOfItem(atPath: spooled.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(test.queue.spool.byteCount == 1_000_000)
        #expect(test.queue.statistics.spoolBytes == 1_000_000)
        await test.close()
    }

    /// What was synced, by path, and what that came to.
    private final class Disk: Sendable {
        let synced = NIOLockedValueBox<[String]>([])
        let isBroken: Bool

        init(isBroken: Bool = false) { self.isBroken = isBroken }

        func sync(_ descriptor: Int32) -> Int32 {
            let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
            synced.withLockedValue { $0.append(path ?? "") }
            errno = EIO
            return isBroken ? -1 : fsync(descriptor)
        }
    }

    /// A body's file on a disk of the test's own.
    private func finish(_ bytes: ByteBuffer, on disk: Disk, in folder: TemporaryFolder) async throws -> SpooledBody {
        let spool = BodySpool(path: folder.path + "/bodies", sync: disk.sync)
        defer { spool.close() }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let finished = eventLoop.flatSubmit {
            let writer = spool.open(on: eventLoop)
            _ = writer.write(bytes)
            return writer.finish()
        }
        return try await finished.get()
    }

    @Test("with QUEUE_SYNCHRONOUS=full a body is whole once its file and its name are on the disk, and only then")
    func synced() async throws {
        let folder = try TemporaryFolder()
        let disk = Disk()
        let body = try await finish(body(300_000), on: disk, in: folder)
        let resolved = URL(filePath: body.path).resolvingSymlinksInPath().path
        let synced = disk.synced.withLockedValue { $0 }.map { URL(filePath: $0).resolvingSymlinksInPath().path }
        #expect(synced == [resolved, String(resolved.dropLast(body.name.count + 1))])

        let broken = Disk(isBroken: true)
        await #expect(throws: StorageProblem.self) { try await finish(self.body(300_000), on: broken, in: folder) }

        let full = try TestQueue { $0.synchronous = .full }
        #expect(full.queue.spool.sync != nil)
        await full.close()
    }

    @Test("a writer that is dropped leaves its file to the threads that may block, which remove it")
    func dropped() async throws {
        let test = try TestQueue()
        let gate = DispatchSemaphore(value: 0)
        let isBlocked = [test.eventLoop.makePromise(of: Void.self), test.eventLoop.makePromise(of: Void.self)]
        let writer = try await test.eventLoop.submit {
            NIOLoopBoundBox(Optional(test.queue.spool.open(on: test.eventLoop)), eventLoop: test.eventLoop)
        }.get()
        try await test.eventLoop.flatSubmit {
            writer.value?.write(ByteBuffer(repeating: 0x61, count: 1000)) ?? test.eventLoop.makeSucceededVoidFuture()
        }.get()
        for promise in isBlocked {
            test.queue.spool.pool.submit { _ in
                promise.succeed()
                gate.wait()
            }
        }
        for promise in isBlocked { try await promise.futureResult.get() }
        try await test.eventLoop.submit { writer.value = nil }.get()
        #expect(test.spooledFiles.count == 1)
        for _ in isBlocked { gate.signal() }
        await test.close()
        #expect(test.spooledFiles.isEmpty)
        #expect(test.queue.spool.byteCount == 0)
    }

    @Test("a row names the file, and the request can be read back and replayed with it")
    func rowNamesFile() async throws {
        let test = try TestQueue()
        let bytes = body(300_000)
        let spooled = try await test.spool(bytes)
        let id = try await test.insert(test.request("/large", body: .spooled(spooled)))
        #expect(try test.rows("SELECT file, body FROM bodies") == [[spooled.name, nil]])
        guard case .spooled(let found) = try #require(try await test.queue.log.detail(id)).body else {
            Issue.record("the body is spooled")
            return
        }
        #expect(found == spooled)
        let source = try #require(try await test.queue.log.replaySource(id))
        #expect(source.body.byteCount == 300_000)
        await test.close()
    }

    @Test("discarded and dropped bodies leave no file")
    func discard() async throws {
        let test = try TestQueue()
        let writes = test.eventLoop.flatSubmit {
            let discarded = test.queue.spool.open(on: test.eventLoop)
            let dropped = test.queue.spool.open(on: test.eventLoop)
            let writes = discarded.write(body(100_000)).and(dropped.write(body(100_000)))
            discarded.discard()
            return writes
        }
        _ = try await writes.get()
        await test.close()
        #expect(test.spooledFiles == [])
        #expect(test.queue.spool.byteCount == 0)
    }

    @Test("at a start, files that no row names are removed; a row whose file is gone is told as without body")
    func orphans() async throws {
        let test = try TestQueue()
        let kept = try await test.spool(body(300_000))
        let lost = try await test.spool(body(300_000))
        _ = try await test.spool(body(300_000))
        _ = try await test.insert(test.request("/kept", body: .spooled(kept)))
        let lostID = try await test.insert(test.request("/lost", body: .spooled(lost)))
        #expect(test.spooledFiles.count == 3)
        await test.close()
        try FileManager.default.removeItem(atPath: lost.path)

        let again = try TestQueue(in: test.folder)
        #expect(again.spooledFiles == [kept.name])
        #expect(again.queue.spool.byteCount == 300_000)
        guard case .removed = try #require(try await again.queue.log.detail(lostID)).body else {
            Issue.record("the body is gone")
            return
        }
        #expect(try await again.queue.log.replaySource(lostID)?.isBodyMissing == true)
        await again.close()
    }

    @Test("a folder that cannot be written fails the body with words that name the file")
    func unwritable() async throws {
        let test = try TestQueue()
        try FileManager.default.removeItem(atPath: test.queue.spool.path)
        #expect(FileManager.default.createFile(atPath: test.queue.spool.path, contents: nil))
        await #expect {
            try await test.spool(body(10))
        } throws: { error in
            (error as? StorageProblem)?.description.contains(test.queue.spool.path) == true
        }
        await test.close()
    }

    @Test("a folder that was removed is made again")
    func removed() async throws {
        let test = try TestQueue()
        try FileManager.default.removeItem(atPath: test.queue.spool.path)
        let body = try await test.spool(body(10))
        #expect(FileManager.default.contents(atPath: body.path)?.count == 10)
        await test.close()
    }

    @Test("the budget gives what it has, and no more, to many threads")
    func budget() async {
        let budget = ByteBudget(limit: 1000)
        #expect(!budget.reserve(1001))
        let taken = await withTaskGroup(of: Int.self) { tasks in
            for _ in 0..<8 {
                tasks.addTask { (0..<100).count { _ in budget.reserve(3) } }
            }
            return await tasks.reduce(0, +)
        }
        #expect(taken == 333)
        #expect(budget.used == 999)
        for _ in 0..<taken { budget.release(3) }
        #expect(budget.reserve(1000))
    }

    @Test("a full budget has a 64th for each route that has no more of it, and an eighth for all such")
    func shares() {
        let budget = ByteBudget(limit: 6400)
        let full = budget.share(ofRoute: 3)
        #expect(budget.share(ofRoute: 3) === full)
        #expect(budget.reserve(6400, for: full))
        #expect(!budget.reserve(1, for: full))
        #expect(!budget.reserve(1))
        let taken = (10..<30).count { budget.reserve(100, for: budget.share(ofRoute: $0)) }
        #expect(taken == 8)
        #expect(!budget.reserve(1, for: budget.share(ofRoute: 10)))
        budget.release(6400, of: full)
        #expect((budget.used, full.used) == (800, 0))
        #expect(budget.reserve(200, for: budget.share(ofRoute: 10)), "where there is room, a share is no bound")
    }
}
