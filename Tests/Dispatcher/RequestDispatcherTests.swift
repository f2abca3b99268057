import Core
import Dispatcher
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Queue
import Testing

@Suite("The dispatcher and its exchanges")
struct RequestDispatcherTests {
    @Test("a request that fits is committed with its dispatch, forwarded, answered and ended once")
    func fits() async throws {
        let bench = try await Bench()
        bench.sample()
        let sink = try await bench.submit()
        #expect(try await sink.outcome == .answered(status: 200, body: "hello"))
        let outcome = try await bench.journal.outcome()
        #expect(outcome.route === bench.route)
        #expect(outcome.state == .completed)
        #expect(outcome.attempts == 1)
        #expect(bench.journal.log == ["insert pod", "end completed ok"])
        #expect(bench.transport.sentBeforeCommit == 0)
        try await bench.end()
    }

    @Test("a request waits without a pod, and goes when a sample shows room")
    func waits() async throws {
        let bench = try await Bench()
        let sink = try await bench.submit()
        #expect(await bench.dispatcher.load.waiting == 1)
        #expect(await bench.dispatcher.depth.count == 1)
        bench.sample()
        #expect(try await sink.outcome == .answered(status: 200, body: "hello"))
        _ = try await bench.journal.outcome()
        #expect(bench.journal.log == ["insert -", "attempt 1 pod", "end completed ok"])
        try await bench.end()
    }

    @Test("a hold timeout ends the wait with 503 no_pods or no_capacity and a Retry-After")
    func expires() async throws {
        let bench = try await Bench(holdTimeout: .milliseconds(50))
        let sink = try await bench.submit()
        guard case .refused(let reason, let retryAfter) = try await sink.outcome else {
            Issue.record("it was not refused")
            return
        }
        #expect(reason == .noPods || reason == .noCapacity)
        #expect((1...60).contains(try #require(retryAfter)))
        #expect(try await bench.journal.outcome().state == .expired)
        try await bench.end()
    }

    @Test("a line tells the id of its first request, by which an operator can cancel it")
    func cancelsTheFirst() async throws {
        let bench = try await Bench()
        _ = try await bench.submit()
        let line = try #require(await bench.dispatcher.queueSnapshot().lines.first)
        #expect(await bench.dispatcher.cancel(try #require(line.firstID)))
        let outcome = try await bench.journal.outcome()
        #expect(outcome.reason == .operatorCancelled)
        #expect(await bench.dispatcher.queueSnapshot().lines.isEmpty)
        try await bench.end()
    }

    @Test("a client that leaves while its request waits cancels it, and nothing is sent")
    func leavesWaiting() async throws {
        let bench = try await Bench()
        let sink = try await bench.submit()
        sink.leave()
        let outcome = try await bench.journal.outcome()
        #expect(outcome.state == .cancelled)
        #expect(outcome.reason == .clientClosed)
        bench.sample()
        #expect(await bench.dispatcher.load == (0, 0))
        #expect(bench.transport.count == 0)
        try await bench.end()
    }

    @Test("the journal has heard of every end when that is waited for: also of clients that left just now")
    func endsAreAwaited() async throws {
        let bench = try await Bench()
        for count in 1...50 {
            let sink = try await bench.submit()
            sink.leave()
            #expect(await bench.dispatcher.ended(within: .seconds(30)) == 0)
            #expect(bench.journal.log.count { $0.hasPrefix("end") } == count)
        }
        _ = try await bench.submit()
        #expect(await bench.dispatcher.ended(within: .milliseconds(1)) == 1)
        try await bench.end()
    }

    @Test("a client that leaves while a pod works cancels the call")
    func leavesForwarding() async throws {
        let bench = try await Bench(script: [.silence])
        bench.sample()
        let sink = try await bench.submit()
        try await bench.transport.sent(1)
        sink.leave()
        #expect(try await bench.journal.outcome().state == .cancelled)
        #expect(bench.transport.cancelled == 1)
        #expect(await bench.dispatcher.load == (0, 0))
        try await bench.end()
    }

    @Test("a request that a pod has when the gateway ends is interrupted, not cancelled by its client")
    func gatewayEnds() async throws {
        let bench = try await Bench(script: [.silence])
        bench.sample()
        let sink = try await bench.submit()
        try await bench.transport.sent(1)
        sink.cut()
        let outcome = try await bench.journal.outcome()
        #expect(outcome.state == .interrupted)
        #expect(outcome.reason == .gatewayEnded)
        #expect(outcome.status == nil)
        #expect(bench.transport.cancelled == 1)
        #expect(await bench.dispatcher.load == (0, 0))
        try await bench.end()
    }

    @Test("a request that waits when the gateway ends is abandoned, not cancelled by its client")
    func gatewayEndsWhileWaiting() async throws {
        let bench = try await Bench()
        let sink = try await bench.submit()
        _ = try await bench.journal.firstID()
        sink.cut()
        let outcome = try await bench.journal.outcome()
        #expect(outcome.state == .abandoned)
        #expect(outcome.reason == .gatewayEnded)
        #expect(await bench.dispatcher.load == (0, 0))
        try await bench.end()
    }

    @Test("a busy answer is not passed on: the request goes again when the pod has room")
    func busy() async throws {
        let bench = try await Bench(script: [.answer(503, "busy"), .answer(200, "hello")])
        bench.sample()
        let sink = try await bench.submit()
        try await bench.polling.polled(1)
        bench.sample()
        #expect(try await sink.outcome == .answered(status: 200, body: "hello"))
        #expect(try await bench.journal.outcome().attempts == 2)
        try await bench.end()
    }

    @Test("at the hold timeout the client gets the last busy answer of a pod")
    func lastBusyAnswer() async throws {
        let bench = try await Bench(holdTimeout: .milliseconds(100), script: [.answer(503, "GPU is taken")])
        bench.sample()
        let sink = try await bench.submit()
        #expect(try await sink.outcome == .podRefused(status: 503, body: "GPU is taken"))
        #expect(try await bench.journal.outcome().state == .expired)
        try await bench.end()
    }

    @Test("a POST whose pod died is not repeated, a GET is")
    func repeats() async throws {
        let bench = try await Bench(script: [.fail(.reset), .fail(.reset), .answer(200, "hello")])
        bench.sample()
        let post = try await bench.submit(method: .post)
        #expect(try await post.outcome.reason == .upstreamReset)
        #expect(try await bench.journal.outcome().state == .failed)
        bench.sample()
        let get = try await bench.submit(method: .get)
        try await bench.transport.sent(2)
        bench.sample()
        #expect(try await get.outcome == .answered(status: 200, body: "hello"))
        try await bench.end()
    }

    @Test("a commit that fails answers 503 storage_unavailable, and nothing is sent")
    func commitFails() async throws {
        let bench = try await Bench()
        bench.sample()
        bench.journal.failsCommits.withLockedValue { $0 = true }
        let sink = try await bench.submit()
        #expect(try await sink.outcome.reason == .storageUnavailable)
        #expect(bench.transport.count == 0)
        #expect(await bench.dispatcher.load == (0, 0))
        try await bench.end()
    }

    @Test("an answer that breaks off is aborted at the client and never repeated")
    func breaksOff() async throws {
        let bench = try await Bench(script: [.cut(200, "hel")])
        bench.sample()
        let sink = try await bench.submit(method: .get)
        #expect(try await sink.outcome == .aborted(status: 200, body: "hel"))
        let outcome = try await bench.journal.outcome()
        #expect(outcome.state == .failed)
        #expect(outcome.reason == .upstreamReset)
        try await bench.end()
    }

    @Test("an operator cancels what waits, and the client gets 503")
    func operatorCancels() async throws {
        let bench = try await Bench()
        let sink = try await bench.submit()
        let id = try await bench.journal.firstID()
        #expect(await bench.dispatcher.cancel(id))
        #expect(try await sink.outcome.reason == .operatorCancelled)
        #expect(try await bench.journal.outcome().reason == .operatorCancelled)
        #expect(await !bench.dispatcher.cancel(id))
        try await bench.end()
    }

    @Test("a drain refuses what comes, lets what is there go on, and ends what still waits with 503 draining")
    func drains() async throws {
        let bench = try await Bench()
        let waiting = try await bench.submit()
        _ = try await bench.journal.firstID()
        await bench.dispatcher.beginDrain()
        let late = try await bench.submit()
        #expect(try await late.outcome.reason == .draining)
        await bench.dispatcher.refuseAllWaiting()
        #expect(try await waiting.outcome.reason == .draining)
        await bench.dispatcher.idle()
        #expect(bench.journal.log.contains("rejected draining"))
        #expect(try await bench.journal.outcome().state == .abandoned)
        try await bench.end()
    }

    @Test("an operator's hold timeout moves the deadline of what waits already")
    func movesDeadline() async throws {
        let bench = try await Bench(holdTimeout: .seconds(3600))
        let sink = try await bench.submit()
        _ = try await bench.journal.firstID()
        await bench.dispatcher.controlsChanged {
            var controls = OperatorControls()
            controls.holdTimeouts = [Route.defaultID: .milliseconds(20)]
            return controls
        }
        #expect(try await sink.outcome.reason?.status == 503)
        try await bench.end()
    }

    @Test("many requests on two loops all end, each once")
    func many() async throws {
        let bench = try await Bench(loops: 2)
        bench.sample()
        var sinks: [TestSink] = []
        for number in 0..<500 { sinks.append(try await bench.submit(onLoop: number % 2)) }
        for sink in sinks {
            while sink.outcomeNow == nil {
                bench.sample()
                // Behind the sample on the dispatcher's loop: more would come than it can take in otherwise.
                _ = await bench.dispatcher.load
            }
            #expect(sink.outcomeNow == .answered(status: 200, body: "hello"))
        }
        try await bench.journal.outcomes(500)
        #expect(Set(bench.journal.ended).count == 500)
        #expect(await bench.dispatcher.load == (0, 0))
        try await bench.end()
    }
}
