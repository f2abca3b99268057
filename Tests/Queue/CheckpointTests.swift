import Core
import Foundation
import NIOCore
import Testing

@testable import Queue

@Suite("Checkpoints keep the write-ahead log bounded without holding up commits")
struct CheckpointTests {
    @Test("under steady writing the log is begun anew, again and again")
    func restarts() async throws {
        let test = try TestQueue(
            checkpoints: Checkpointer.Limits(passiveFrames: 50, restartFrames: 150, behindFrames: 65_536)
        )
        // The two salts of the log's header (https://sqlite.org/fileformat.html#the_wal_file): the first goes up, and the second is drawn
        // anew, whenever the log is begun anew.
        func salts() throws -> Data { try Data(contentsOf: URL(filePath: test.folder.database + "-wal"))[16..<24] }
        var seen: Set<Data> = []
        var rounds = 0
        while seen.count < 6, rounds < 2000 {
            let receipts = (0..<20).map { _ in Receipt(on: test.eventLoop) }
            for receipt in receipts {
                let body = RequestBody.memory(ByteBuffer(repeating: 0x61, count: 3000))
                test.journal.insert(test.request(body: body), pod: .at(1), receiver: receipt)
            }
            for receipt in receipts { _ = try await receipt.commit() }
            try seen.insert(salts())
            rounds += 1
        }
        #expect(seen.count == 6)
        #expect(test.queue.statistics.failedCheckpoints == 0)
        #expect(try test.rows("SELECT count(*) FROM requests") == [["\(rounds * 20)"]])
        await test.close()
    }

    @Test(
        "where a reader keeps the log from being used again, intake is told; when the reader has gone it is told again"
    )
    func behind() async throws {
        let test = try TestQueue(
            checkpoints: Checkpointer.Limits(passiveFrames: 10, restartFrames: 20, behindFrames: 100)
        )
        try await test.insert()
        let reader = try SQLiteConnection(path: test.folder.database, busyTimeout: 0)
        try reader.execute("BEGIN")
        _ = try reader.integer("SELECT count(*) FROM requests")
        for _ in 0..<100 {
            try await test.insert(test.request(body: .memory(ByteBuffer(repeating: 0x61, count: 4000))))
        }
        #expect(test.journal.unavailable?.code == .behind)
        try reader.execute("COMMIT")
        let start = ContinuousClock.now
        while test.journal.unavailable != nil, .now - start < .seconds(10) { await Task.yield() }
        #expect(test.journal.unavailable == nil)
        await test.close()
    }

    @Test("the gate lets the checkpointer in between two transactions of a writer that never rests")
    func gate() async {
        let gate = CommitGate()
        let counter = Counter()
        let writer = WorkerThread(name: "test-writer") {
            while !counter.isStopped {
                gate.enter()
                counter.begin()
                counter.end()
                gate.leave()
            }
        }
        for _ in 0..<200 {
            let wasInside = gate.whileClosed { counter.isInside }
            #expect(!wasInside)
        }
        counter.stop()
        writer.join()
    }

    private final class Counter: @unchecked Sendable {
        // `@unchecked`: behind its lock.
        private let lock = ThreadLock()
        private var inside = false
        private var stopped = false
        var isInside: Bool { lock.withLock { inside } }
        var isStopped: Bool { lock.withLock { stopped } }
        func begin() { lock.withLock { inside = true } }
        func end() { lock.withLock { inside = false } }
        func stop() { lock.withLock { stopped = true } }
    }

    @Test("histograms count by powers of two")
    func histogram() {
        var histogram = PowerHistogram()
        for value in [0, 1, 2, 3, 4, 5, 1 << 40] { histogram.record(value) }
        #expect(histogram.counts[0] == 2)
        #expect(histogram.counts[1] == 1)
        #expect(histogram.counts[2] == 2)
        #expect(histogram.counts[3] == 1)
        #expect(histogram.counts.last == 1)
        #expect(histogram.count == 7)
        #expect(histogram.upperBound(of: 2) == 4)
        #expect(histogram.upperBound(of: histogram.counts.count - 1) == nil)
    }
}
