import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Admin

@Suite("Events are told to whoever listens", .timeLimit(.minutes(1)))
struct EventTests {
    private struct Figure: EventPayload {
        var value: Int
        var age = 0

        var timeless: Figure { Figure(value: value) }
    }

    /// What there is to be told, and how often it was asked for.
    private final class Subject: Sendable {
        private let state = NIOLockedValueBox((figure: Figure(value: 0), asked: 0))

        var asked: Int { state.withLockedValue { $0.asked } }
        func set(_ figure: Figure) { state.withLockedValue { $0.figure = figure } }
        func ask() -> Figure {
            state.withLockedValue {
                $0.asked += 1
                return $0.figure
            }
        }
    }

    private func feed(_ hub: EventHub, _ subject: Subject) -> EventFeed {
        let source = EventSource("queue", repeatAfter: .seconds(5)) { subject.ask() }
        return EventFeed([source], hub: hub, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func text(_ subscriber: EventSubscription) async -> String? {
        await subscriber.next().map { String(buffer: $0) }
    }

    private static func event(_ name: String, _ json: String) -> Event { Event(name, json: Array(json.utf8)) }

    @Test("one who reads slowly is owed the newest of each kind only")
    func newest() async throws {
        let hub = EventHub()
        let subscriber = try hub.subscribe()
        for number in 0..<1000 { hub.publish(Self.event("queue", "\(number)")) }
        hub.publish(Self.event("pods", "[]"))
        #expect(await text(subscriber) == "event: queue\ndata: 999\n\nevent: pods\ndata: []\n\n")
    }

    @Test("one who joins is told the newest at once, the others are not told it again")
    func joins() async throws {
        let hub = EventHub()
        let first = try hub.subscribe()
        hub.publish(Self.event("queue", "1"))
        #expect(await text(first) == "event: queue\ndata: 1\n\n")
        let second = try hub.subscribe()
        #expect(await text(second) == "event: queue\ndata: 1\n\n")
        hub.publish(Self.event("queue", "2"), isNews: false)
        hub.publish(Self.event("queue", "3"))
        #expect(await text(first) == "event: queue\ndata: 3\n\n")
    }

    @Test("as many as the limit may listen, and one more when one has left")
    func limit() throws {
        let hub = EventHub()
        let subscribers = try (0..<EventHub.limit).map { _ in try hub.subscribe() }
        let refusal = #expect(throws: AdminProblem.self) { try hub.subscribe() }
        #expect(refusal?.status == .serviceUnavailable)
        #expect(refusal?.reason == "too_many_subscribers")
        subscribers[5].leave()
        subscribers[5].leave()
        let another = try hub.subscribe()
        withExtendedLifetime((subscribers, another)) { #expect(hub.count == EventHub.limit) }
    }

    @Test("a place is free again when an answer is dropped before its body was written; HEAD takes none")
    func dropped() async throws {
        let hub = EventHub()
        let router = Router(context: AdminContext.self, options: .autoGenerateHeadEndpoints)
        EventCalls(hub: hub).add(to: router.group("/admin/api"))
        let responder = router.buildResponder()
        func ask(_ method: HTTPRequest.Method) async throws -> Response {
            let head = HTTPRequest(method: method, scheme: nil, authority: "localhost", path: "/admin/api/events")
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            return try await responder.respond(
                to: Request(head: head, body: RequestBody(buffer: ByteBuffer())),
                context: AdminContext(logger: logger, peer: nil)
            )
        }
        for _ in 0..<EventHub.limit + 1 {
            let answer = try await ask(.get)
            #expect(answer.status == .ok)
            withExtendedLifetime(answer) { #expect(hub.count == 1) }
        }
        #expect(hub.count == 0)
        #expect(try await ask(.head).headers[.contentType] == "text/event-stream")
    }

    @Test("the end lets go out what is owed, ends everyone, and refuses who comes")
    func end() async throws {
        let hub = EventHub()
        let owed = try hub.subscribe()
        let waiting = try hub.subscribe()
        async let nothing = waiting.next()
        hub.publish(Self.event("pods", "1"))
        hub.end()
        #expect(await text(owed) == "event: pods\ndata: 1\n\n")
        #expect(await owed.next() == nil)
        _ = await nothing
        #expect(await waiting.next() == nil)
        let refusal = #expect(throws: AdminProblem.self) { try hub.subscribe() }
        #expect(refusal?.reason == "draining")
        #expect(await hub.isWanted() == false)
    }

    @Test("one whose task is cancelled waits no longer")
    func cancelled() async throws {
        let subscriber = try EventHub().subscribe()
        let waiting = Task { await subscriber.next() }
        waiting.cancel()
        #expect(await waiting.value == nil)
    }

    @Test("what changed is told; what only grew older is told again after five seconds")
    func changes() async throws {
        let (hub, subject) = (EventHub(), Subject())
        let feed = feed(hub, subject)
        let subscriber = try hub.subscribe()
        await feed.tick(at: .zero)
        #expect(await text(subscriber) == "event: queue\ndata: {\"age\":0,\"value\":0}\n\n")
        subject.set(Figure(value: 0, age: 1))
        await feed.tick(at: .milliseconds(500))
        subject.set(Figure(value: 7, age: 2))
        await feed.tick(at: .seconds(1))
        #expect(await text(subscriber) == "event: queue\ndata: {\"age\":2,\"value\":7}\n\n")
        subject.set(Figure(value: 7, age: 3))
        await feed.tick(at: .milliseconds(5900))
        subject.set(Figure(value: 7, age: 4))
        await feed.tick(at: .seconds(6))
        #expect(await text(subscriber) == "event: queue\ndata: {\"age\":4,\"value\":7}\n\n")
        await feed.tick(at: .seconds(15))
        #expect(await text(subscriber)?.hasSuffix(": keep-alive\n\n") == true)
    }

    @Test("nothing is looked at while nobody listens, and never more often than the interval")
    func idle() async throws {
        let (hub, subject, clock) = (EventHub(), Subject(), SteppedClock())
        let feed = feed(hub, subject)
        let run = Task { await feed.run(clock: clock) }
        let subscriber = try hub.subscribe()
        await clock.sleeper()
        #expect(subject.asked == 1)
        // Joining again and again makes no snapshots.
        for _ in 0..<10 { try hub.subscribe().leave() }
        clock.advance(by: EventFeed.interval)
        await clock.sleeper()
        #expect(subject.asked == 2)
        subscriber.leave()
        clock.advance(by: EventFeed.interval)
        hub.end()
        await run.value
        #expect(subject.asked == 2)
    }

    @Test("the age of what waits is no change, another first in line and another deadline are")
    func queueChanges() throws {
        func payload(_ line: String) throws -> QueuePayload {
            try JSON.decoder.decode(
                QueuePayload.self,
                from: Data(
                    """
                    {"bytes":0,"depth":1,"dispatched":0,"draining":false,"lacking":[],"lines":[{"depth":1,"explanation":"",
                    "needs":{"cpus":1,"gpus":1,"memory_gb":8},"priority":"live","route":"r","why":"gpus",\(line)}],
                    "oldest_age":0,"paused":false,"recorded":0,"replays":{"depth":1,"oldest_age":0},"routes":[],
                    "waits":{"window":900,"count":0,"p50":null,"p90":null,"p99":null,"max":null}}
                    """.utf8
                )
            )
        }
        let before = try payload(#""first":"A","oldest_age":1.004,"deadline_in":28.996"#)
        #expect(try payload(#""first":"A","oldest_age":2.511,"deadline_in":27.49"#).timeless == before.timeless)
        #expect(try payload(#""first":"B","oldest_age":1.004,"deadline_in":28.996"#).timeless != before.timeless)
        #expect(try payload(#""first":"A","oldest_age":2.511,"deadline_in":57.49"#).timeless != before.timeless)
        let patient = try payload(#""first":"A","oldest_age":1.004"#)
        #expect(patient.lines[0].deadlineIn == nil && patient.timeless != before.timeless)
        #expect(try payload(#""first":"A","oldest_age":99.5"#).timeless == patient.timeless)
    }
}

/// A clock that stands until it is told to go on; for one sleeper.
private final class SteppedClock: Clock, Sendable {
    struct Instant: InstantProtocol {
        var offset = Swift.Duration.zero
        func advanced(by duration: Swift.Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Swift.Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct State {
        var now = Instant()
        var sleeper: (deadline: Instant, continuation: CheckedContinuation<Void, Never>)?
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = NIOLockedValueBox(State())

    var now: Instant { state.withLockedValue { $0.now } }
    var minimumResolution: Swift.Duration { .zero }

    func sleep(until deadline: Instant, tolerance: Swift.Duration?) async throws {
        await withCheckedContinuation { continuation in
            let waiter = state.withLockedValue { state in
                state.sleeper = (deadline, continuation)
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }

    /// Returns once somebody sleeps.
    func sleeper() async {
        await withCheckedContinuation { continuation in
            let sleeps = state.withLockedValue { state in
                if state.sleeper == nil { state.waiter = continuation }
                return state.sleeper != nil
            }
            if sleeps { continuation.resume() }
        }
    }

    func advance(by duration: Swift.Duration) {
        let sleeper = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            state.now = state.now.advanced(by: duration)
            guard let sleeper = state.sleeper, sleeper.deadline <= state.now else { return nil }
            state.sleeper = nil
            return sleeper.continuation
        }
        sleeper?.resume()
    }
}
