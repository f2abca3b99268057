import Core
import Foundation
import NIOCore
import Testing

@testable import Queue

@Suite("A disk that cannot be written costs answers, never rows, and is found well again without a restart")
struct StorageFailureTests {
    /// Lets the database grow no more; nil lets it again.
    private func limit(_ test: TestQueue, isFull: Bool) async throws {
        try await test.queue.perform { connection in
            let pages = isFull ? try connection.integer("PRAGMA page_count") ?? 1 : 1_000_000
            _ = try connection.integer("PRAGMA max_page_count = \(pages)")
        }
    }

    private func large(_ test: TestQueue, _ target: String) -> QueuedRequest {
        test.request(target, body: .memory(ByteBuffer(repeating: 0x61, count: 100_000)))
    }

    @Test("a full disk fails the commit, is told, and is found well by the writer's own probe")
    func fullDisk() async throws {
        let test = try TestQueue()
        try await test.insert("/before")
        try await limit(test, isFull: true)
        let receipt = Receipt(on: test.eventLoop)
        test.journal.insert(large(test, "/full"), pod: .at(1), receiver: receipt)
        #expect(await receipt.failure()?.code == .full)
        #expect(test.journal.unavailable?.code == .full)
        #expect(test.queue.statistics.failedCommits > 0)
        try await limit(test, isFull: false)
        let start = ContinuousClock.now
        while test.journal.unavailable != nil, .now - start < .seconds(10) { await Task.yield() }
        #expect(test.journal.unavailable == nil)
        try await test.insert(large(test, "/after"))
        #expect(try test.rows("SELECT target FROM requests ORDER BY id") == [["/before"], ["/after"]])
        await test.close()
    }

    @Test("what is said of a request whose commit failed is refused, or passed over; it has no row of any kind")
    func laterWords() async throws {
        let test = try TestQueue()
        try await limit(test, isFull: true)
        let request = large(test, "/full")
        let receipt = Receipt(on: test.eventLoop)
        test.journal.insert(request, pod: nil, receiver: receipt)
        #expect(await receipt.failure()?.code == .full)
        try await limit(test, isFull: false)
        let attempt = Receipt(on: test.eventLoop)
        test.journal.attempt(request, number: 1, pod: .at(1), receiver: attempt)
        #expect(await attempt.failure() != nil)
        try await test.end(request.id, .failed, .storageUnavailable)
        for table in ["requests", "attempts", "outcomes", "bodies"] {
            #expect(try test.rows("SELECT count(*) FROM \(table)") == [["0"]])
        }
        // And the queue goes on.
        let next = try await test.insert("/next", pod: .at(1))
        try await test.end(next)
        #expect(try test.rows("SELECT state FROM request_log") == [["completed"]])
        await test.close()
    }

    @Test("an attempt that was handed over right behind an insert that fails, fails with it")
    func attemptBehindInsert() async throws {
        let test = try TestQueue()
        try await limit(test, isFull: true)
        let request = large(test, "/full")
        let receipts = [Receipt(on: test.eventLoop), Receipt(on: test.eventLoop)]
        try await test.whileWriterIsBusy {
            test.journal.insert(request, pod: nil, receiver: receipts[0])
            test.journal.attempt(request, number: 1, pod: .at(1), receiver: receipts[1])
        }
        #expect(await receipts[0].failure() != nil)
        #expect(await receipts[1].failure() != nil)
        await test.close()
    }

    @Test("a request of which a part is refused by a key has no row of any kind, nor has a dispatch right behind it")
    func partRefused() async throws {
        let test = try TestQueue()
        try await test.queue.perform { connection in
            try connection.execute(
                """
                CREATE TRIGGER no_bodies BEFORE INSERT ON bodies BEGIN SELECT RAISE(ABORT, 'no bodies'); END;
                CREATE TRIGGER no_rejections BEFORE INSERT ON outcomes WHEN NEW.state = 8
                    BEGIN SELECT RAISE(ABORT, 'no rejections'); END;
                """
            )
        }
        let request = large(test, "/refused")
        let receipts = [Receipt(on: test.eventLoop), Receipt(on: test.eventLoop), Receipt(on: test.eventLoop)]
        try await test.whileWriterIsBusy {
            test.journal.insert(request, pod: nil, receiver: receipts[0])
            test.journal.attempt(request, number: 1, pod: .at(1), receiver: receipts[1])
            test.journal.insert(test.request("/beside"), pod: nil, receiver: receipts[2])
        }
        #expect(await receipts[0].failure()?.description.contains("no bodies") == true)
        #expect(await receipts[1].failure() != nil)
        #expect(await receipts[2].failure() == nil)
        _ = test.journal.rejected(
            Rejection(
                reason: .queueFull,
                detail: "",
                status: 429,
                method: .get,
                target: ByteBuffer(string: "/rejected"),
                route: nil,
                clientAddress: "192.0.2.1"
            )
        )
        try await test.insert("/behind")
        try await test.queue.flush()
        #expect(try test.rows("SELECT target FROM requests ORDER BY id") == [["/beside"], ["/behind"]])
        #expect(try test.rows("SELECT count(*) FROM attempts") == [["0"]])
        await test.close()
    }

    @Test("outcomes that could not be written are kept and written when the disk is well")
    func outcomesAreKept() async throws {
        let test = try TestQueue()
        var ids: [RequestID] = []
        for _ in 0..<20 { ids.append(try await test.insert(pod: .at(1))) }
        try await limit(test, isFull: true)
        for id in ids {
            var outcome = Outcome.of(id, .failed, .upstreamReset, status: 502)
            outcome.answerBody = ByteBuffer(repeating: 0x62, count: 60_000)
            test.journal.end(outcome)
        }
        let start = ContinuousClock.now
        while test.journal.unavailable == nil, .now - start < .seconds(10) { await Task.yield() }
        #expect(test.journal.unavailable?.code == .full)
        #expect(try test.rows("SELECT count(*) FROM outcomes") == [["0"]])
        try await limit(test, isFull: false)
        while test.journal.unavailable != nil, .now - start < .seconds(20) { await Task.yield() }
        try await test.queue.flush()
        #expect(try test.rows("SELECT count(*) FROM outcomes WHERE state = 3") == [["20"]])
        #expect(test.queue.statistics.openRequests == 0)
        await test.close()
    }

    @Test("the file of a spooled body whose row could not be written is removed")
    func spooledBody() async throws {
        let test = try TestQueue()
        let body = try await test.spool(ByteBuffer(repeating: 0x63, count: 300_000))
        try await limit(test, isFull: true)
        let request = test.request(
            "/" + String(repeating: "x", count: 50_000),
            body: .spooled(body)
        )
        let receipt = Receipt(on: test.eventLoop)
        test.journal.insert(request, pod: nil, receiver: receipt)
        #expect(await receipt.failure()?.code == .full)
        try await limit(test, isFull: false)
        await test.close()
        #expect(!FileManager.default.fileExists(atPath: body.path))
        #expect(test.queue.spool.byteCount == 0)
    }
}
