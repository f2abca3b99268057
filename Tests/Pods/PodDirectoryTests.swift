import Core
import Discovery
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Pods
import Testing

@Suite("Finding and polling pods")
struct PodDirectoryTests {
    /// What the observer was told, in order.
    enum Event: Sendable {
        case pods([Pod])
        case sampled(Pod, CapacityReport)
        case failed(Pod, String)
    }

    struct Observer: PodObserver {
        let events: Mailbox<Event>

        func podsChanged(_ pods: [Pod]) { events.put(.pods(pods)) }
        func sampled(_ pod: Pod, _ report: CapacityReport, sentAt: NIODeadline, receivedAt: NIODeadline) {
            #expect(sentAt < receivedAt)
            events.put(.sampled(pod, report))
        }
        func pollFailed(_ pod: Pod, _ problem: String, sentAt: NIODeadline, receivedAt: NIODeadline) {
            events.put(.failed(pod, problem))
        }
    }

    private static let answer = #"{"available_cpus":8,"available_gpus":2,"available_memory_gb":32}"#

    /// Runs a directory over a static list for as long as `body` takes.
    private func withDirectory(
        _ backends: [PodDescription],
        _ change: (inout PodsConfiguration) -> Void = { _ in },
        _ body: (PodDirectory, StaticDiscovery, Mailbox<Event>) async throws -> Void
    ) async throws {
        var configuration = PodsConfiguration()
        configuration.capacityInterval = .milliseconds(200)
        configuration.capacityTimeout = .seconds(60)
        configuration.connectTimeout = .seconds(60)
        change(&configuration)
        let events = Mailbox<Event>()
        let discovery = StaticDiscovery(backends: backends)
        let client = CurlClient()
        let directory = PodDirectory(
            discovery: discovery,
            observer: Observer(events: events),
            client: client,
            configuration: configuration,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let task = Task { try await directory.run() }
        try await body(directory, discovery, events)
        task.cancel()
        try await task.value
        client.shutdown()
    }

    @Test("pods are announced first, then polled at once and again and again on one connection")
    func polls() async throws {
        let server = try await TestServer { exchange in
            #expect(exchange.requestLine.hasPrefix("GET /capacity HTTP/1.1"))
            exchange.answer(Self.answer)
        }
        try await withDirectory([server.pod]) { directory, _, events in
            guard case .pods(let pods) = await events.next() else { return #expect(Bool(false), "pods come first") }
            #expect(pods.map(\.description) == [server.pod])
            for _ in 0..<3 {
                guard case .sampled(let pod, let report) = await events.next() else {
                    return #expect(Bool(false), "a sample")
                }
                #expect(pod === pods[0])
                #expect(report.available == ResourceVector(cpus: 8000, gpus: 2000, memory: 32_000))
            }
            #expect(directory.status.wasTried && directory.status.problem == nil)
            #expect(directory.status.pods == pods)
        }
        #expect(server.accepted == 1)
        try await server.stop()
    }

    @Test("a pod that answers something else has failed its poll, in words")
    func failures() async throws {
        let asked = NIOLockedValueBox(0)
        let server = try await TestServer { exchange in
            let number = asked.withLockedValue { asked in
                asked += 1
                return asked
            }
            switch number - 1 {
            case 0: exchange.answer("busy", status: "503 Service Unavailable")
            case 1: exchange.answer("{\"available_cpus\":-1}")
            case 2: exchange.answer(String(repeating: " ", count: (1 << 20) + 1))
            default: break
            }
        }
        try await withDirectory([server.pod], { $0.capacityInterval = .milliseconds(60) }) { _, _, events in
            _ = await events.next()
            for expected in ["status 503", "available_cpus is negative", "over 1048576 bytes"] {
                guard case .failed(_, let problem) = await events.next() else {
                    return #expect(Bool(false), "a failed poll")
                }
                #expect(problem.contains(expected), "\(problem)")
            }
        }
        try await server.stop()
    }

    @Test("a pod that does not answer in time has failed its poll")
    func timeout() async throws {
        let server = try await TestServer { _ in }
        try await withDirectory([server.pod], { $0.capacityTimeout = .milliseconds(200) }) { _, _, events in
            _ = await events.next()
            guard case .failed(_, let problem) = await events.next() else { return #expect(Bool(false), "it is late") }
            #expect(problem.contains("no whole answer within 0.2 s"), "\(problem)")
        }
        try await server.stop()
    }

    @Test("a pod that hangs delays no other")
    func hung() async throws {
        let hung = try await TestServer { _ in }
        let well = try await TestServer { $0.answer(Self.answer) }
        try await withDirectory([hung.pod, well.pod], { $0.capacityTimeout = .seconds(20) }) { _, _, events in
            _ = await events.next()
            for _ in 0..<3 {
                guard case .sampled(let pod, _) = await events.next() else { return #expect(Bool(false), "a sample") }
                #expect(pod.description == well.pod)
            }
        }
        try await hung.stop()
        try await well.stop()
    }

    @Test("a poll that is asked for does not wait for the interval, and an interval of its own counts")
    func asked() async throws {
        let server = try await TestServer { $0.answer(Self.answer) }
        try await withDirectory([server.pod], { $0.capacityInterval = .seconds(3600) }) { directory, _, events in
            _ = await events.next()
            _ = await events.next()
            let pod = directory.status.pods[0]
            directory.pollNow(pod)
            guard case .sampled = await events.next() else { return #expect(Bool(false), "a sample") }
            directory.setInterval(.milliseconds(60), for: pod)
            for _ in 0..<3 {
                guard case .sampled = await events.next() else { return #expect(Bool(false), "a sample") }
            }
        }
        try await server.stop()
    }

    @Test("a changed list keeps the pods that stay and forgets those that go, even while they are polled")
    func changes() async throws {
        let (hanging, asked) = AsyncStream.makeStream(of: Void.self)
        let hung = try await TestServer { _ in asked.yield() }
        let well = try await TestServer { $0.answer(Self.answer) }
        try await withDirectory(
            [hung.pod, well.pod],
            {
                $0.capacityInterval = .seconds(3600)
                $0.capacityTimeout = .seconds(3600)
            }
        ) { directory, discovery, events in
            guard case .pods(let first) = await events.next() else { return #expect(Bool(false), "pods come first") }
            guard case .sampled = await events.next() else { return #expect(Bool(false), "a sample") }
            for await _ in hanging { break }
            var draining = well.pod
            draining.isDraining = true
            discovery.update([well.pod, draining])
            guard case .pods(let second) = await events.next() else { return #expect(Bool(false), "pods again") }
            #expect(second[0] === first[1], "the same description is the same pod")
            #expect(second[1] !== first[1] && second[1].key > first[1].key, "another description is another one")
            // Its poll is given up: nobody wants it any more.
            await hung.closed(1)
            guard case .sampled(let pod, _) = await events.next() else { return #expect(Bool(false), "a sample") }
            #expect(pod === second[1])

            // The same list again is no change; the next is.
            discovery.update([well.pod, draining])
            discovery.update([])
            guard case .pods(let none) = await events.next() else { return #expect(Bool(false), "pods again") }
            #expect(none.isEmpty)
            directory.pollNow(pod)
        }
        try await hung.stop()
        try await well.stop()
    }

    /// Fails twice, then finds a pod.
    final class FailingDiscovery: PodDiscovery {
        struct Broken: Error {}
        let runs = NIOLockedValueBox(0)

        func run(_ report: @Sendable (DiscoveryUpdate) async -> Void) async throws {
            let run = runs.withLockedValue { runs in
                runs += 1
                return runs
            }
            guard run > 2 else { throw Broken() }
            await report(DiscoveryUpdate(pods: [PodDescription(host: "127.0.0.1", port: 1)]))
            // Until it is cancelled.
            let (silence, end) = AsyncStream.makeStream(of: Never.self)
            for await _ in silence {}
            end.finish()
        }
    }

    /// A clock on which no time passes.
    struct InstantClock: Clock {
        var now: ContinuousClock.Instant { .now }
        var minimumResolution: Duration { .zero }
        func sleep(until deadline: ContinuousClock.Instant, tolerance: Duration?) async throws {}
    }

    @Test("a discovery that fails is told of, counts as tried, and begins again")
    func failingDiscovery() async throws {
        let events = Mailbox<Event>()
        let client = CurlClient()
        let directory = PodDirectory(
            discovery: FailingDiscovery(),
            observer: Observer(events: events),
            client: client,
            configuration: PodsConfiguration(),
            clock: InstantClock(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        #expect(!directory.status.wasTried)
        let task = Task { try await directory.run() }
        guard case .pods(let none) = await events.next() else { return #expect(Bool(false), "pods come first") }
        #expect(none.isEmpty)
        guard case .pods(let pods) = await events.next() else { return #expect(Bool(false), "pods again") }
        #expect(pods.count == 1)
        guard case .failed = await events.next() else { return #expect(Bool(false), "nobody listens on port 1") }
        #expect(directory.status.wasTried && directory.status.problem == nil)
        task.cancel()
        try await task.value
        client.shutdown()
    }
}
