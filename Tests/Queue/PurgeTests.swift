import Core
import Foundation
import NIOCore
import Testing

@testable import Queue

@Suite("A purge removes ended requests by filter")
struct PurgeTests {
    private func filter(_ change: (inout LogFilter) -> Void) -> LogFilter {
        var filter = LogFilter()
        change(&filter)
        return filter
    }

    private func purge(_ test: TestQueue, _ selection: LogSelection, goesOn: Bool = true) async throws -> PurgeReport {
        var report = PurgeReport()
        try await test.queue.purge(selection, into: &report) { goesOn }
        return report
    }

    @Test("what matches and has ended goes with its bodies and files; open, other and newest requests stay")
    func removes() async throws {
        let test = try TestQueue()
        let file = try await test.spool(ByteBuffer(repeating: 0x62, count: 300_000))
        let spooled = try await test.insert(test.request("/gone/file", body: .spooled(file)))
        try await test.end(spooled, .failed, .upstreamReset)
        for number in 0..<300 {
            let request = test.request("/gone/\(number)", body: .memory(ByteBuffer(repeating: 0x61, count: 5000)))
            test.journal.insert(request, pod: .at(1), receiver: Receipt(on: test.eventLoop))
            test.journal.end(.of(request.id))
        }
        try await test.insert("/gone/open")
        try await test.end(try await test.insert("/stays"))
        let newest = try await test.insert("/gone/newest")
        try await test.end(newest)

        let selection = try await test.queue.purgeSelection(filter { $0.text = "/gone" })
        #expect(try await test.queue.log.census(selection).matching == 301)
        let report = try await purge(test, selection)
        #expect(report.removed == 301 && report.isComplete)
        #expect(
            try test.rows("SELECT target FROM requests ORDER BY id") == [["/gone/open"], ["/stays"], ["/gone/newest"]]
        )
        #expect(try test.rows("SELECT count(*) FROM outcomes") == [["2"]])
        #expect(try test.rows("SELECT count(*) FROM bodies") == [["0"]])
        await test.close()
        #expect(!FileManager.default.fileExists(atPath: file.path))
    }

    @Test("it stops where it is told to, and says that it is not complete")
    func stops() async throws {
        let test = try TestQueue()
        for _ in 0..<3 { try await test.end(try await test.insert()) }
        let selection = try await test.queue.purgeSelection(filter { $0.states = [.completed] })
        let report = try await purge(test, selection, goesOn: false)
        #expect(report.removed == 0 && !report.isComplete)
        await test.close()
    }

    @Test("where it fails in the middle it tells what was removed by then")
    func fails() async throws {
        let test = try TestQueue()
        for _ in 0..<3 { try await test.end(try await test.insert()) }
        let selection = try await test.queue.purgeSelection(filter { $0.states = [.completed] })
        var report = PurgeReport()
        await #expect(throws: BrokenClock.Broken.self) {
            try await test.queue.purge(selection, into: &report, clock: BrokenClock()) { true }
        }
        #expect(report.removed > 0 && !report.isComplete)
        await test.close()
    }

    @Test("what a bulk replay made stays until that has ended")
    func job() async throws {
        let test = try TestQueue()
        let source = try await test.insert()
        try await test.end(source, .expired, .noCapacity)
        let job = try await test.queue.replayJobs.create(
            ReplayJobDraft(
                filter: LogFilter(),
                rate: 1,
                limit: 1,
                isConfirmed: false,
                suppliedNames: [],
                upper: source,
                matching: 1,
                isMatchingComplete: true
            )
        )
        let replay = try await test.insert(test.request(priority: .replay, replayOf: source, replayJob: job.id))
        try await test.end(replay)
        try await test.end(try await test.insert())
        let selection = try await test.queue.purgeSelection(filter { $0.replayJob = job.id })
        #expect(try await purge(test, selection).removed == 0)
        _ = try await test.queue.replayJobs.end(job.id, progress: ReplayProgress(), results: ReplayResults())
        #expect(try await purge(test, selection).removed == 1)
        await test.close()
    }
}

/// A clock on which nobody can sleep: what comes after the first slice fails.
private struct BrokenClock: Clock {
    struct Broken: Error {}

    var now: ContinuousClock.Instant { .now }
    var minimumResolution: Duration { .zero }

    func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws { throw Broken() }
}
