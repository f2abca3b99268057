import Core
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import Dispatcher
@testable import Queue

@Suite("A replay, from its row to the queue")
struct ReplayerTests {
    private struct OneRoute: ReplayRouting {
        let fallback: Route
        func route(named id: String) -> Route? { id == fallback.id ? fallback : nil }
        func route(for target: ByteBuffer, _ method: RequestMethod) -> Route? {
            String(buffer: target).hasPrefix("/reserved") ? nil : fallback
        }
    }

    private func source(
        _ target: String = "/",
        routeID: String = Route.defaultID,
        body: RequestBody = .none
    ) -> ReplaySource {
        ReplaySource(
            id: RequestID(rawValue: 7),
            state: .expired,
            method: .post,
            target: ByteBuffer(string: target),
            fields: HeaderFields(),
            body: body,
            routeID: routeID,
            needs: .zero,
            withheld: [],
            isBodyMissing: false,
            clientAddress: ""
        )
    }

    private func replayer(_ bench: Bench, budget: ByteBudget = ByteBudget(limit: 1 << 20)) -> Replayer {
        Replayer(dispatcher: bench.dispatcher, routing: OneRoute(fallback: bench.route), budget: budget)
    }

    private func resume(_ bench: Bench) async {
        let stamp = QueuedRequest.Stamp(id: RequestID(rawValue: 9), milliseconds: 1)
        replayer(bench).resume(RecoveredReplay(source: source(), stamp: stamp))
        await bench.dispatcher.settled { $0.load != (0, 0) }
    }

    @Test("it has its row when it is told to be made, and goes as any other")
    func goes() async throws {
        let bench = try await Bench()
        let id = try await replayer(bench).replay(source())
        #expect(try await bench.journal.firstID() == id)
        bench.sample()
        #expect(try await bench.journal.outcome().state == .completed)
        try await bench.end()
    }

    @Test("its body counts as long as it may be sent, and replays leave half of what bodies may use to clients")
    func budget() async throws {
        let bench = try await Bench()
        let budget = ByteBudget(limit: 1000)
        let replayer = replayer(bench, budget: budget)
        let source = source(body: .memory(ByteBuffer(repeating: 1, count: 300)))
        _ = try await replayer.replay(source)
        #expect(budget.used == 300)
        let error = await #expect(throws: ReplayError.self) { try await replayer.replay(source) }
        #expect(error?.reason == .queueFull)
        bench.sample()
        #expect(try await bench.journal.outcome().state == .completed)
        await bench.dispatcher.ended(within: .seconds(10))
        #expect(budget.used == 0)
        _ = try await replayer.replay(source)
        try await bench.end()
    }

    @Test("where its route is gone it has the one of its path; where that is reserved it is refused")
    func routes() async throws {
        let bench = try await Bench()
        _ = try await replayer(bench).replay(source(routeID: "POST /gone"))
        let error = await #expect(throws: ReplayRefusal.self) {
            try await replayer(bench).replay(source("/reserved", routeID: "POST /gone"))
        }
        #expect(error?.reason == .pathReserved)
        try await bench.end()
    }

    @Test(
        "one from before a restart is not inserted again; where its dispatch cannot be written it ends, since its row is there"
    )
    func resumes() async throws {
        let bench = try await Bench()
        await resume(bench)
        #expect(bench.journal.log == [])
        bench.journal.failsCommits.withLockedValue { $0 = true }
        bench.sample()
        let outcome = try await bench.journal.outcome()
        #expect(outcome.id.rawValue == 9)
        #expect(outcome.state == .abandoned && outcome.reason == .storageUnavailable)
        #expect(bench.transport.count == 0)
        try await bench.end()
    }

    @Test("at the end of a drain what waits keeps its row open, whether it is new or from before a restart")
    func drains() async throws {
        let bench = try await Bench()
        _ = try await replayer(bench).replay(source())
        await resume(bench)
        await bench.dispatcher.refuseAllWaiting()
        await bench.dispatcher.idle()
        // Whatever its loop was still to do is done.
        try await bench.end()
        #expect(bench.journal.log == ["insert -"])
    }

    @Test("one that is refused at the door is told to who asked for it, and to nobody else")
    func refused() async throws {
        let bench = try await Bench()
        await bench.dispatcher.beginDrain()
        let error = await #expect(throws: ReplayError.self) { try await replayer(bench).replay(source()) }
        #expect(error?.reason == .draining)
        #expect(bench.journal.log == [])
        try await bench.end()
    }
}
