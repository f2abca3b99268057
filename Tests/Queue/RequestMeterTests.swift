import Core
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Queue

@Suite("What is counted of requests that ended")
struct RequestMeterTests {
    /// Half past some hour, less two seconds.
    fileprivate static let start: Int64 = 1_790_001_000_000 - 2000

    /// A meter with a clock that the test moves.
    private struct Fixture {
        let meter: RequestMeter
        private let passed = NIOLockedValueBox(TimeAmount.zero)

        init() {
            let passed = passed
            meter = RequestMeter(
                now: { .uptimeNanoseconds(77_123_000_000) + passed.withLockedValue { $0 } },
                milliseconds: { RequestMeterTests.start + passed.withLockedValue { $0.nanoseconds / 1_000_000 } }
            )
        }

        func pass(_ time: TimeAmount) { passed.withLockedValue { $0 = $0 + time } }

        func end(
            _ state: RequestState = .completed,
            _ reason: EndReason = .ok,
            status: Int? = 200,
            route: Route? = nil,
            priority: RequestPriority = .live,
            attempts: Int = 1,
            hold: TimeAmount = .milliseconds(2),
            upstream: TimeAmount? = .milliseconds(30)
        ) {
            meter.ended(
                Outcome(
                    id: RequestID(rawValue: 1),
                    route: route,
                    priority: priority,
                    state: state,
                    reason: reason,
                    status: status,
                    attempts: attempts,
                    hold: hold,
                    upstream: upstream,
                    total: hold + (upstream ?? .zero)
                )
            )
        }

        func reject(_ reason: EndReason = .queueFull, status: Int = 429, route: Route? = nil) {
            meter.rejected(
                Rejection(
                    reason: reason,
                    detail: "",
                    status: status,
                    method: .post,
                    target: ByteBuffer(),
                    route: route,
                    clientAddress: ""
                )
            )
        }

        /// The points that something was counted in.
        var points: [HistoryPoint] {
            meter.history.filter { $0.counts != HistoryPoint.Counts() || $0.depth > 0 }
        }
    }

    private func route(_ key: Int, _ id: String) -> Route {
        Route(
            key: key,
            id: id,
            method: nil,
            template: nil,
            needs: .zero,
            holdTimeout: Setting(.seconds(30), from: .default),
            requestTimeout: Setting(.seconds(300), from: .default)
        )
    }

    @Test("ends are counted by route, state, reason and status class; what has no route is default's")
    func counts() {
        let test = Fixture()
        let train = route(7, "POST /train")
        for _ in 0..<3 { test.end(route: train) }
        test.end(status: 404, route: train)
        test.end(.expired, .noCapacity, status: 503, route: train, attempts: 0, hold: .seconds(30), upstream: nil)
        test.end(.cancelled, .clientClosed, status: nil, route: train, attempts: 3)
        test.end()
        test.reject()
        test.reject(.bodyTooLarge, status: 413, route: train)

        let routes = test.meter.routes
        #expect(routes.map(\.routeID) == ["default", "POST /train"])
        let ends = Dictionary(uniqueKeysWithValues: routes[1].ends.map { ($0.kind, $0.count) })
        #expect(
            ends == [
                EndKind(.completed, .ok, 299): 3, EndKind(.completed, .ok, 404): 1,
                EndKind(.expired, .noCapacity, 503): 1, EndKind(.cancelled, .clientClosed, nil): 1,
                EndKind(.rejected, .bodyTooLarge, 413): 1,
            ]
        )
        #expect(routes[0].ends.map(\.count) == [1, 1])
        // One that was refused at the door was neither held nor forwarded.
        #expect(routes[1].hold.count == 6)
        #expect(routes[1].upstream.count == 5)
        #expect(routes[1].total.count == 6)
        #expect(routes[1].retries == 2)
    }

    @Test("waits are of the last 15 minutes, of all and of each route")
    func waits() throws {
        let test = Fixture()
        let train = route(1, "POST /train")
        #expect(test.meter.waits.all == WaitStatistics(LogHistogram()))
        test.end(hold: .seconds(9))
        test.pass(.minutes(8))
        for _ in 0..<99 { test.end(route: train, hold: .milliseconds(100)) }
        test.end(route: train, hold: .seconds(20))

        var waits = test.meter.waits
        #expect(waits.all.count == 101)
        #expect(waits.all.longest == .seconds(20))
        #expect(waits.routes["default"]?.count == 1)
        let trained = try #require(waits.routes["POST /train"])
        #expect(trained.count == 100)
        for value in [trained.median, trained.p90, trained.p99] {
            let nanoseconds = try #require(value).nanoseconds
            #expect(abs(Double(nanoseconds) / 1e8 - 1) < 0.07)
        }
        #expect(trained.longest == .seconds(20))

        // What ended 15 minutes ago is forgotten, without anything new.
        test.pass(.minutes(7))
        waits = test.meter.waits
        #expect(waits.routes["default"] == nil)
        #expect(waits.all == trained)
        test.pass(.minutes(8))
        #expect(test.meter.waits.all.count == 0)
    }

    @Test("replays count, and their holds do not: nobody waits for them")
    func replays() throws {
        let test = Fixture()
        test.end(priority: .replay, hold: .seconds(300))
        test.end()
        #expect(test.meter.waits.all.count == 1)
        let route = try #require(test.meter.routes.first)
        #expect(route.hold.count == 1 && route.total.count == 1 && route.upstream.count == 2)
        #expect(route.ends.map(\.count) == [2])
    }

    @Test("what a pod answers with 5xx is told apart from what went well")
    func serverErrors() {
        let test = Fixture()
        test.end(status: 503)
        test.end(status: 404)
        test.end(.failed, .upstreamReset, status: 502)
        test.pass(.seconds(5))
        #expect(test.meter.newestPoint.counts.serverErrors == 1)
        #expect(test.meter.newestPoint.counts.completed == 2)
    }

    @Test("the history has 180 points of 5 seconds, and begins them at whole ones")
    func history() throws {
        let test = Fixture()
        #expect(test.meter.history.count == 180)
        #expect(test.points.isEmpty)
        test.end(hold: .milliseconds(400), upstream: .seconds(3))
        test.end(.failed, .upstreamReset, status: 502)
        #expect(test.points.isEmpty, "the interval is not over")

        test.pass(.seconds(2))
        test.end(.abandoned, .draining, status: 503, upstream: nil)
        test.end(.expired, .noCapacity, status: 503, upstream: nil)
        test.end(.cancelled, .clientClosed, status: nil)
        test.reject()
        let first = try #require(test.points.first)
        #expect(test.points.count == 1)
        #expect(first.beganMilliseconds == Self.start - 3000)
        #expect(first.counts == HistoryPoint.Counts(completed: 1, failed: 1, expired: 0, cancelled: 0, rejected: 0))
        #expect(first.upstream.p99 == .seconds(3))
        #expect(test.meter.newestPoint.counts == first.counts)

        test.pass(.seconds(6))
        let second = try #require(test.points.last)
        #expect(second.beganMilliseconds == Self.start + 2000)
        #expect(second.counts == HistoryPoint.Counts(completed: 0, failed: 1, expired: 1, cancelled: 1, rejected: 1))
        let times = test.meter.history.map(\.beganMilliseconds)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 5000 })
        #expect(times.last == second.beganMilliseconds)
        // Where nothing ended there is nothing to tell percentiles from.
        test.pass(.seconds(5))
        #expect(test.meter.newestPoint.hold.median == nil)
        #expect(test.meter.newestPoint.counts == HistoryPoint.Counts())
    }

    @Test("a place in the ring that is used again starts from nothing, also after a long silence")
    func reuse() {
        let test = Fixture()
        test.end()
        test.meter.sample(depth: 4, oldestAge: .seconds(9))
        test.pass(.seconds(5))
        #expect(test.points.count == 1)
        // The newest whole interval is in another place; the oldest is this one.
        test.pass(.seconds(5 * 179))
        #expect(test.points.count == 1)
        test.pass(.seconds(5))
        #expect(test.points.isEmpty)
        test.end(.cancelled, .clientClosed)
        test.pass(.seconds(5))
        #expect(test.points.map(\.counts.cancelled) == [1])
        #expect(test.points.map(\.counts.completed) == [0])
        #expect(test.points.map(\.depth) == [0])
        test.pass(.hours(5))
        #expect(test.points.isEmpty)
    }

    @Test("the depth of a point is the most that was seen in it")
    func depth() {
        let test = Fixture()
        test.pass(.seconds(2))
        for (depth, age) in [(1, 1), (30, 2), (2, 3)] as [(Int, Int64)] {
            test.meter.sample(depth: depth, oldestAge: .seconds(age))
            test.pass(.seconds(1))
        }
        test.pass(.seconds(2))
        #expect(test.meter.newestPoint.depth == 30)
        #expect(test.meter.newestPoint.oldestAge == .seconds(3))
    }

    @Test("the journal counts every end and every rejection, written or not")
    func journal() async throws {
        let test = try TestQueue { $0.rejectionsPerSecond = 1 }
        let id = try await test.insert()
        try await test.end(id)
        for _ in 0..<10 {
            test.journal.rejected(
                Rejection(
                    reason: .draining,
                    detail: "",
                    status: 503,
                    method: .get,
                    target: ByteBuffer(),
                    route: nil,
                    clientAddress: ""
                )
            )
        }
        let ends = test.queue.meter.routes.flatMap(\.ends)
        #expect(ends.map(\.count) == [1, 10])
        #expect(ends.map(\.kind) == [EndKind(.completed, .ok, 200), EndKind(.rejected, .draining, 503)])
        await test.close()
    }
}
