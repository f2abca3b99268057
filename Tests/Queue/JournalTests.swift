import Core
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import Queue

@Suite("The journal commits what is handed over, in its order")
struct JournalTests {
    @Test("a request's row is there when its commit is reported, with its first dispatch where the insert carries it")
    func insertIsDurable() async throws {
        let test = try TestQueue()
        let waiting = try await test.insert("/wait")
        let receipt = Receipt(on: test.eventLoop)
        let sent = test.request("/send")
        let pod = Pod.at(1)
        test.journal.insert(sent, pod: pod, receiver: receipt)
        #expect(try await receipt.commit() === pod)
        #expect(
            try test.rows("SELECT id, target, pod, route, client, gpus FROM requests ORDER BY id") == [
                ["\(waiting.rawValue)", "/wait", nil, "default", "192.0.2.1", "500"],
                ["\(sent.id.rawValue)", "/send", "http://10.0.0.7:1", "default", "192.0.2.1", "500"],
            ]
        )
        await test.close()
    }

    @Test("a later dispatch and the end are rows of their own, and the view tells the whole")
    func lifeOfARequest() async throws {
        let test = try TestQueue()
        let request = test.request("/a?b=c")
        try await test.insert(request)
        #expect(try test.rows("SELECT state, pod FROM request_log") == [["queued", nil]])
        try await test.attempt(request, number: 1, pod: .at(1))
        try await test.attempt(request, number: 2, pod: .at(2))
        #expect(try test.rows("SELECT state, pod FROM request_log") == [["dispatched", "http://10.0.0.7:2"]])
        try await test.end(request.id)
        #expect(
            try test.rows("SELECT request_id, state, reason, path, target, status, hold_ms FROM request_log") == [
                ["\(request.id)", "completed", "ok", "/a", "/a?b=c", "200", "2.0"]
            ]
        )
        await test.close()
    }

    @Test("of many threads' requests each is committed once, and commits are reported in the order of ids")
    func manyThreads() async throws {
        let test = try TestQueue()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 4)
        let each = 2000
        try await withThrowingTaskGroup(of: [Int64].self) { tasks in
            for eventLoop in group.makeIterator() {
                tasks.addTask {
                    let done = eventLoop.makePromise(of: [Int64].self)
                    eventLoop.execute {
                        let collector = Collector(on: eventLoop, expecting: each, done)
                        for number in 0..<each {
                            let request = test.request("/\(number)")
                            let receiver = collector.receiver(of: request, then: test.journal)
                            test.journal.insert(
                                request,
                                pod: number.isMultiple(of: 2) ? .at(number) : nil,
                                receiver: receiver
                            )
                        }
                    }
                    return try await done.futureResult.get()
                }
            }
            for try await ids in tasks {
                #expect(ids.count == each)
                #expect(ids == ids.sorted())
            }
        }
        try await test.queue.flush()
        #expect(try test.rows("SELECT count(*), count(DISTINCT id) FROM requests") == [["8000", "8000"]])
        #expect(try test.rows("SELECT count(*) FROM outcomes WHERE state = 2") == [["8000"]])
        let statistics = test.queue.statistics
        #expect(statistics.requestsWritten == 8000)
        #expect(statistics.outcomesWritten == 8000)
        #expect(statistics.openRequests == 0)
        #expect(statistics.commits < 8000, "commits are shared")
        await test.close()
        try await group.shutdownGracefully()
    }

    @Test("what is handed over while the writer is busy is one commit, and a loop hears of it in one tick")
    func oneTick() async throws {
        let test = try TestQueue()
        let done = test.eventLoop.makePromise(of: [Int64].self)
        let collector = Collector(on: test.eventLoop, expecting: 50, done)
        try await test.whileWriterIsBusy {
            for number in 0..<50 {
                let request = test.request("/\(number)")
                test.journal.insert(request, pod: nil, receiver: collector.receiver(of: request, then: nil))
            }
        }
        _ = try await done.futureResult.get()
        #expect(collector.ticks == 1)
        let sizes = test.queue.statistics.batchSizes
        #expect(sizes.counts[6] == 1, "one of 33 … 64 rows")
        await test.close()
    }

    @Test("a second end of a request is refused by the database and counted; the first one stands")
    func secondEnd() async throws {
        let test = try TestQueue()
        let id = try await test.insert()
        try await test.end(id, .failed, .upstreamReset)
        try await test.end(id, .completed, .ok)
        #expect(try test.rows("SELECT state, reason FROM outcomes") == [["3", "upstream_reset"]])
        #expect(test.queue.statistics.rowsRefused == 1)
        #expect(test.journal.unavailable == nil)
        await test.close()
    }

    @Test("a lone outcome is written without company, soon")
    func lazyOutcomes() async throws {
        let test = try TestQueue()
        let id = try await test.insert()
        let before = ContinuousClock.now
        test.journal.end(.of(id))
        // Nothing else is handed over that could take it along.
        while test.queue.statistics.outcomesWritten == 0, .now - before < .seconds(5) { await Task.yield() }
        #expect(test.queue.statistics.outcomesWritten == 1)
        await test.close()
    }

    @Test("rejections get rows of their own, at most so many a second; the rest are counted")
    func rejections() async throws {
        let test = try TestQueue { $0.rejectionsPerSecond = 10 }
        for _ in 0..<100 {
            test.journal.rejected(
                Rejection(
                    reason: .queueFull,
                    detail: "10000 requests wait",
                    status: 429,
                    method: .post,
                    target: ByteBuffer(string: "/full"),
                    route: nil,
                    clientAddress: "192.0.2.1"
                )
            )
        }
        try await test.queue.flush()
        let statistics = test.queue.statistics
        // Twice as many where a second began in between.
        #expect([10, 20].contains(statistics.rejectionsWritten))
        #expect(statistics.rejectionsWritten + statistics.rejectionsSkipped == 100)
        let rows = try test.rows("SELECT DISTINCT state, reason, status, path FROM request_log")
        #expect(rows == [["rejected", "queue_full", "429", "/full"]])
        await test.close()
    }

    @Test("bodies are in the row up to 4 KiB and in a row of their own above", arguments: [0, 1, 4096, 4097, 200_000])
    func bodies(size: Int) async throws {
        let test = try TestQueue()
        let body = ByteBuffer(repeating: 0x61, count: size)
        let id = try await test.insert(test.request("/", body: size == 0 ? .none : .memory(body)))
        let rows = try test.rows(
            "SELECT body_bytes, length(r.body), length(b.body) FROM requests r LEFT JOIN bodies b ON b.request = r.id"
        )
        #expect(rows == [["\(size)", (1...4096).contains(size) ? "\(size)" : nil, size > 4096 ? "\(size)" : nil]])
        let entry = try #require(try await test.queue.log.detail(id))
        switch entry.body {
        case .none: #expect(size == 0)
        case .kept(let kept): #expect(kept == body)
        default: Issue.record("a body in memory is kept in a row")
        }
        await test.close()
    }

    @Test("close writes all that was handed over; what comes later fails and has no row")
    func close() async throws {
        let test = try TestQueue()
        let last = test.request("/last")
        let receipt = Receipt(on: test.eventLoop)
        test.journal.insert(last, pod: nil, receiver: receipt)
        test.journal.end(.of(last.id))
        await test.close()
        #expect(try await receipt.commit() == nil)
        #expect(!FileManager.default.fileExists(atPath: test.folder.database + "-wal"), "a last checkpoint was taken")
        #expect(try test.rows("SELECT target, state FROM request_log") == [["/last", "completed"]])
        let late = Receipt(on: test.eventLoop)
        test.journal.insert(test.request("/late"), pod: nil, receiver: late)
        #expect(await late.failure()?.code == .closed)
        #expect(test.journal.unavailable?.code == .closed)
        #expect(try test.rows("SELECT count(*) FROM requests") == [["1"]])
        await test.close()
    }

    @Test("a full buffer fails what comes on top, and what is later said of it has no row")
    func fullBuffer() async throws {
        let test = try TestQueue { $0.writerBufferEntries = 2 }
        let receipts = (0..<3).map { _ in Receipt(on: test.eventLoop) }
        let requests = try await test.whileWriterIsBusy {
            let requests = receipts.map { receipt in
                let request = test.request()
                test.journal.insert(request, pod: nil, receiver: receipt)
                return request
            }
            #expect(await receipts[2].failure()?.code == .behind)
            return requests
        }
        #expect(await receipts[0].failure() == nil)
        #expect(await receipts[1].failure() == nil)
        await #expect(throws: StorageProblem.self) { try await test.attempt(requests[2], number: 1, pod: .at(1)) }
        for request in requests { test.journal.end(.of(request.id)) }
        try await test.queue.flush()
        #expect(try test.rows("SELECT request FROM outcomes") == requests[..<2].map { ["\($0.id.rawValue)"] })
        #expect(try test.rows("SELECT count(*) FROM attempts") == [["0"]])
        await test.close()
    }
}

/// Gathers the commits of many requests on one loop.
private final class Collector: @unchecked Sendable {
    // `@unchecked`: what changes is touched on the loop, and read after `done`.
    private let eventLoop: any EventLoop
    private let expected: Int
    private let done: EventLoopPromise<[Int64]>
    private var ids: [Int64] = []
    private(set) var ticks = 0
    private var isInTick = false

    init(on eventLoop: any EventLoop, expecting expected: Int, _ done: EventLoopPromise<[Int64]>) {
        self.eventLoop = eventLoop
        self.expected = expected
        self.done = done
    }

    func receiver(of request: QueuedRequest, then journal: GroupCommitJournal?) -> any CommitReceiver {
        One(self, request, journal)
    }

    private func committed(_ id: RequestID) {
        eventLoop.preconditionInEventLoop()
        ids.append(id.rawValue)
        if !isInTick {
            isInTick = true
            ticks += 1
            eventLoop.execute { self.isInTick = false }
        }
        if ids.count == expected { done.succeed(ids) }
    }

    private final class One: CommitReceiver {
        private let collector: Collector
        private let request: QueuedRequest
        private let journal: GroupCommitJournal?

        init(_ collector: Collector, _ request: QueuedRequest, _ journal: GroupCommitJournal?) {
            self.collector = collector
            self.request = request
            self.journal = journal
        }

        var eventLoop: any EventLoop { collector.eventLoop }

        func committed(pod: Pod?) {
            journal?.end(.of(request.id))
            collector.committed(request.id)
        }

        func commitFailed(_ problem: StorageProblem) {
            collector.done.fail(problem)
        }
    }
}
