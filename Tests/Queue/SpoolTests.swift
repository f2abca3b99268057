import Core
import Foundation
import NIOCore
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
}
