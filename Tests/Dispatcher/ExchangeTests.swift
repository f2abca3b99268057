import Core
import Dispatcher
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Queue
import Testing

@Suite("An exchange: what its row and its client are told", .timeLimit(.minutes(1)))
struct ExchangeTests {
    @Test("a hold that ends before its commit was reported is refused with the id of its row")
    func refusedWhileInserting() async throws {
        let bench = try await Bench(holdTimeout: .zero)
        bench.journal.keepsCommits.withLockedValue { $0 = true }
        let sink = try await bench.submit()
        #expect(try await sink.outcome.reason == .noPods)
        let id = try await bench.journal.firstID()
        #expect(sink.refusedWith?.requestID == id)
        #expect(try await bench.journal.outcome().state == .expired)
        try await bench.end()
    }

    @Test(
        "a busy answer that does not end, or is too long to keep, is let go of, and the request goes elsewhere or again"
    )
    func unendingBusyAnswer() async throws {
        let steps: [ScriptedTransport.Step] = [.stall(503), .answer(503, String(repeating: "x", count: 70_000))]
        for step in steps {
            let bench = try await Bench(busyAnswerTime: .milliseconds(20), script: [step])
            bench.sample()
            let sink = try await bench.submit()
            try await bench.polling.polled(1)
            #expect(bench.transport.cancelled == 1)
            bench.sample()
            #expect(try await sink.outcome == .answered(status: 200, body: "hello"))
            try await bench.end()
        }
    }

    @Test("a body that cannot be read back ends its own request, and nothing is said about the pod")
    func unreadableBody() async throws {
        let bench = try await Bench(script: [.fail(.bodyUnreadable)])
        bench.sample()
        let sink = try await bench.submit(method: .put)
        #expect(try await sink.outcome.reason == .storageUnavailable)
        let outcome = try await bench.journal.outcome()
        #expect(outcome.state == .failed)
        #expect(outcome.detail == "as scripted")
        await bench.dispatcher.idle()
        let counts = try #require(await bench.dispatcher.podSnapshots().first).counts
        #expect(counts.aborted == 1 && counts.resets == 0)
        try await bench.end()
    }

    @Test("a pod whose trial's answer begins is well again, however long that answer lasts")
    func trial() async throws {
        var breaker = BreakerConfiguration()
        breaker.failures = 1
        breaker.openFor = .milliseconds(1)
        let bench = try await Bench(breaker: breaker, script: [.fail(.connectFailed), .stall(200)])
        bench.sample()
        _ = try await bench.submit()
        try await bench.polling.polled(1)
        bench.sample()
        try await bench.transport.sent(2)
        // The answer's head comes with the loop's next turn.
        try await bench.group.next().submit {}.get()
        #expect(await bench.dispatcher.podSnapshots().first?.breaker == "closed")
        #expect(await bench.dispatcher.podSnapshots().first?.counts.answered == 0)
        try await bench.end()
    }

    @Test("what went back to its line has waited there, not with the pod that refused it")
    func timesAfterReturn() async throws {
        let bench = try await Bench(holdTimeout: .milliseconds(200), script: [.answer(503, "busy")])
        bench.sample()
        _ = try await bench.submit()
        let outcome = try await bench.journal.outcome()
        #expect(outcome.state == .expired)
        let upstream = try #require(outcome.upstream)
        #expect(outcome.hold > upstream)
        try await bench.end()
    }

    @Test("a hold that ends after an attempt that a pod may have begun has failed: it did not only wait")
    func failedHold() async throws {
        let bench = try await Bench(
            holdTimeout: .milliseconds(100),
            script: [.fail(.reset), .answer(503, "busy"), .answer(503, "busy")]
        )
        bench.sample()
        let sink = try await bench.submit(method: .get)
        try await bench.transport.sent(1)
        bench.sample()
        #expect(try await sink.outcome == .podRefused(status: 503, body: "busy"))
        let outcome = try await bench.journal.outcome()
        #expect(outcome.state == .failed)
        #expect(outcome.reason == .noCapacity)
        try await bench.end()
    }

    @Test("a replay from before a restart has its row: it ends there also where its dispatch cannot be written")
    func recoveredReplay() async throws {
        let bench = try await Bench()
        bench.sample()
        bench.journal.failsCommits.withLockedValue { $0 = true }
        let id = RequestID(rawValue: 4_711)
        let sink = try await bench.submit(stamp: QueuedRequest.Stamp(id: id, milliseconds: 1))
        #expect(try await sink.outcome.reason == .storageUnavailable)
        let outcome = try await bench.journal.outcome()
        #expect(outcome.id == id)
        #expect(outcome.state == .abandoned)
        #expect(bench.journal.log.first == "attempt 1 pod")
        try await bench.end()
    }
}
