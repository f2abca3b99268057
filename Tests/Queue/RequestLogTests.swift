import Core
import Foundation
import GRDB
import NIOCore
import Testing

@testable import Queue

@Suite("The request log finds what operators ask for")
struct RequestLogTests {
    /// Twelve requests of every kind, oldest first.
    private func filled(
        _ configure: (inout QueueConfiguration) -> Void = { _ in }
    ) async throws -> (TestQueue, [RequestID]) {
        let test = try TestQueue(configure)
        var ids: [RequestID] = []
        let kinds: [(RequestState, EndReason, Int)] = [
            (.completed, .ok, 200), (.failed, .upstreamReset, 502), (.expired, .noCapacity, 503),
            (.completed, .ok, 404),
            (.cancelled, .clientClosed, 499), (.queued, .ok, 0), (.dispatched, .ok, 0),
            (.failed, .upstreamTimeout, 504),
            (.completed, .ok, 200), (.expired, .noPods, 503), (.completed, .ok, 500), (.queued, .ok, 0),
        ]
        for (number, kind) in kinds.enumerated() {
            let request = test.request("/items/\(number)", route: number.isMultiple(of: 2) ? "GET /even" : "GET /odd")
            ids.append(try await test.insert(request, pod: kind.0 == .dispatched ? .at(9) : nil))
            guard kind.0.isTerminal else { continue }
            var outcome = Outcome.of(request.id, kind.0, kind.1, status: kind.2)
            outcome.podID = "http://pod-\(number % 3):8080"
            test.journal.end(outcome)
        }
        try await test.queue.flush()
        return (test, ids)
    }

    private static let filters: [(String, @Sendable (inout LogFilter) -> Void, [Int])] = [
        ("nothing", { _ in }, Array(0...11)),
        ("one state", { $0.states = [.failed] }, [1, 7]),
        ("several states", { $0.states = [.failed, .expired, .cancelled] }, [1, 2, 4, 7, 9]),
        ("completed", { $0.states = [.completed] }, [0, 3, 8, 10]),
        ("completed and failed", { $0.states = [.completed, .failed] }, [0, 1, 3, 7, 8, 10]),
        ("queued", { $0.states = [.queued] }, [5, 11]),
        ("open", { $0.states = [.queued, .dispatched] }, [5, 6, 11]),
        ("reason", { $0.reasons = [.noPods, .upstreamReset] }, [1, 9]),
        ("reason ok", { $0.reasons = [.ok] }, [0, 3, 8, 10]),
        ("route", { $0.routeID = "GET /even" }, [0, 2, 4, 6, 8, 10]),
        ("pod", { $0.podID = "http://pod-1:8080" }, [1, 4, 7, 10]),
        ("pod of an open request", { $0.podID = "http://10.0.0.7:9" }, [6]),
        ("status", { $0.statuses = 503...503 }, [2, 9]),
        ("class of status", { $0.statuses = 500...599 }, [1, 2, 7, 9, 10]),
        ("path", { $0.text = "ITEMS/1" }, [1, 10, 11]),
        ("text of a reason", { $0.text = "upstream_" }, [1, 7]),
        ("text of a pod", { $0.text = "pod-2" }, [2, 8]),
        ("text with a wildcard of SQL", { $0.text = "items%" }, []),
        ("text with a quote", { $0.text = "'; DROP TABLE requests; --" }, []),
        (
            "several",
            {
                $0.states = [.failed]
                $0.statuses = 504...504
                $0.routeID = "GET /odd"
            }, [7]
        ),
        ("nothing that there is", { $0.routeID = "GET /none" }, []),
    ]

    @Test("every filter finds its requests, newest first", arguments: filters.indices)
    func everyFilter(index: Int) async throws {
        let (name, change, expected) = Self.filters[index]
        let (test, ids) = try await filled()
        var filter = LogFilter()
        change(&filter)
        let page = try await test.queue.log.page(filter)
        #expect(page.entries.map(\.id) == expected.reversed().map { ids[$0] }, "\(name)")
        #expect(page.next == nil)
        await test.close()
    }

    @Test("an id is found wherever it is, and other filters hold for it too")
    func idWithOtherFilters() async throws {
        let (test, ids) = try await filled { $0.pageScanLimit = 2 }
        var filter = LogFilter()
        filter.text = ids[1].description
        let page = try await test.queue.log.page(filter)
        #expect(page.entries.map(\.id) == [ids[1]] && page.next == nil && page.scanned == 1)
        filter.routeID = "GET /none"
        #expect(try await test.queue.log.page(filter).entries.isEmpty)
        filter.routeID = nil
        filter.sinceMilliseconds = ids[1].milliseconds + 1000
        #expect(try await test.queue.log.page(filter).entries.isEmpty)
        await test.close()
    }

    @Test("pages follow each other without gap or repetition, whatever is written meanwhile")
    func pages() async throws {
        let (test, ids) = try await filled()
        var seen: [RequestID] = []
        var before: RequestID?
        repeat {
            let page = try await test.queue.log.page(before: before, limit: 5)
            #expect(page.entries.count <= 5)
            seen += page.entries.map(\.id)
            before = page.next
            try await test.insert("/new")
        } while before != nil
        #expect(seen == ids.reversed())
        await test.close()
    }

    @Test("a page looks at so many rows and no more, and says how far it came")
    func scanLimit() async throws {
        let (test, ids) = try await filled { $0.pageScanLimit = 5 }
        var filter = LogFilter()
        filter.routeID = "GET /none"
        var scanned = 0
        var pages = 0
        var before: RequestID?
        repeat {
            let page = try await test.queue.log.page(filter, before: before)
            #expect(page.entries.isEmpty)
            #expect(page.scanned <= 5)
            scanned += page.scanned
            pages += 1
            before = page.next
        } while before != nil
        #expect(scanned == ids.count)
        #expect(pages == 3)
        await test.close()
    }

    @Test("since and until are by the time in the id")
    func times() async throws {
        let (test, ids) = try await filled()
        var filter = LogFilter()
        filter.sinceMilliseconds = ids[0].milliseconds
        filter.untilMilliseconds = ids[11].milliseconds + 1
        #expect(try await test.queue.log.page(filter).entries.count == 12)
        filter.untilMilliseconds = ids[0].milliseconds
        #expect(try await test.queue.log.page(filter).entries.isEmpty)
        filter.untilMilliseconds = nil
        filter.sinceMilliseconds = ids[11].milliseconds + 1
        #expect(try await test.queue.log.page(filter).entries.isEmpty)
        await test.close()
    }

    @Test("a whole id finds that request, in either case")
    func byID() async throws {
        let (test, ids) = try await filled()
        var filter = LogFilter()
        filter.text = ids[3].description.lowercased()
        #expect(try await test.queue.log.page(filter).entries.map(\.id) == [ids[3]])
        await test.close()
    }

    @Test("one request is told whole: what came, where it went, what was answered, who repeated it")
    func detail() async throws {
        let test = try TestQueue()
        let request = test.request(
            "/a?b",
            method: .put,
            fields: [("Host", "test"), ("X-A", "")],
            body: .memory(ByteBuffer(string: "hello"))
        )
        let id = try await test.insert(request, pod: .at(1))
        try await test.attempt(request, number: 2, pod: .at(2))
        var outcome = Outcome.of(id, .failed, .upstreamReset, status: 502)
        outcome.attempts = 2
        outcome.detail = "the pod closed the connection"
        outcome.answerHead = ResponseHead(status: 500, reason: "", fields: HeaderFields([("X-B", "c")]))
        outcome.answerBody = ByteBuffer(string: "oh no")
        outcome.answerBytes = 5
        test.journal.end(outcome)
        let replay = try await test.insert(test.request("/a?b", priority: .replay, replayOf: id))
        try await test.queue.flush()
        let entry = try #require(try await test.queue.log.detail(id))
        #expect(entry.summary.method == "PUT")
        #expect(entry.summary.state == .failed)
        #expect(entry.summary.detail == "the pod closed the connection")
        #expect(entry.summary.hold == .milliseconds(2))
        #expect(entry.summary.bodyBytes == 5)
        #expect(entry.needs == ResourceVector(cpus: 1000, gpus: 500, memory: 2000))
        #expect(entry.fields.map { "\($0.name)=\($0.value)" } == ["Host=test", "X-A="])
        #expect(entry.attempts.map(\.podID) == ["http://10.0.0.7:1", "http://10.0.0.7:2"])
        #expect(entry.attempts.map(\.number) == [1, 2])
        #expect(entry.timeline.map(\.state) == [.queued, .dispatched, .dispatched, .failed])
        #expect(entry.answer?.status == 500)
        #expect(entry.answer?.body.map { String(buffer: $0) } == "oh no")
        #expect(entry.replays == [replay])
        #expect(try await test.queue.log.detail(RequestID(rawValue: 1)) == nil)
        await test.close()
    }

    @Test("a read that takes too long is interrupted, and the next one works")
    func interrupted() async throws {
        let test = try TestQueue { $0.readers = 1 }
        try await test.insert()
        let clock = TimeoutClock()
        let log = try RequestLog(test.queue.configuration, spool: test.queue.spool, clock: clock, lowWater: { 0 })
        await #expect {
            try await log.read { db in
                clock.timeOut()
                let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
                return try Int.fetchOne(db, sql: endless)
            }
        } throws: { error in
            (error as? QueueError)?.code == .timeout
        }
        #expect(try await log.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM requests") } == 1)
        log.close()
        await test.close()
    }

    @Test("the log cannot write")
    func readOnly() async throws {
        let test = try TestQueue()
        await #expect(throws: QueueError.self) {
            try await test.queue.log.read { try $0.execute(sql: "DELETE FROM requests") }
        }
        await test.close()
    }
}

/// A clock by which the first sleep ends when it is told to, and every other only by being cancelled.
private final class TimeoutClock: Clock {
    typealias Instant = ContinuousClock.Instant
    typealias Duration = Swift.Duration

    private let first: AsyncStream<Void>
    private let end: AsyncStream<Void>.Continuation

    init() {
        (first, end) = AsyncStream.makeStream()
    }

    var now: Instant { .now }
    var minimumResolution: Duration { .zero }

    func timeOut() {
        end.yield()
    }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        for await _ in first { return }
        throw CancellationError()
    }
}
