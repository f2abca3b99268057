import Core
import NIOCore
import Queue
import Testing

@testable import Dispatcher

@Suite struct HoldingTests {
    @Test func aRequestThatFitsLeavesAtOnceAndNeverMoreThanThePodHas() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(2, memory: 8))
        _ = try fixture.place()
        _ = try fixture.place()
        let third = try fixture.wait()
        #expect(fixture.machine.isWaiting(third) == true)
        #expect(fixture.machine.leasedCount == 2)
    }

    @Test func whatWaitsGoesWhenALeaseEndsFirstComeFirstServed() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (first, pod) = try fixture.place()
        let second = try fixture.wait()
        let third = try fixture.wait()
        fixture.drainActions()
        fixture.pass(.milliseconds(5))
        fixture.end(first)
        #expect(fixture.dispatches() == [second: pod.key])
        fixture.end(second)
        #expect(fixture.dispatches() == [third: pod.key])
    }

    @Test func firstOfLinesAreComparedByArrivalAndOneThatDoesNotFitHoldsUpNobody() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1)])
        fixture.pod(.needs(2))
        let (running, pod) = try fixture.place(.needs(2))
        let large = try fixture.wait(.needs(3))
        let early = try fixture.wait(.needs(1, memory: 0), route: 1)
        let late = try fixture.wait(.needs(1, memory: 0), route: 0)
        fixture.drainActions()
        fixture.pass(.milliseconds(5))
        fixture.end(running)
        #expect(fixture.dispatches() == [early: pod.key, late: pod.key])
        #expect(fixture.machine.isWaiting(large) == true)
    }

    @Test func replaysGoBehindAllLiveTraffic() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (running, pod) = try fixture.place()
        let replay = try fixture.wait(priority: .replay)
        let live = try fixture.wait()
        fixture.drainActions()
        fixture.pass(.milliseconds(5))
        fixture.end(running)
        #expect(fixture.dispatches() == [live: pod.key])
        fixture.end(live)
        #expect(fixture.dispatches() == [replay: pod.key])
    }

    @Test func whatNobodyWaitsForOutlivesItsHoldTimeoutUnlessNoPodCouldEverHoldIt() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .seconds(2))])
        let pod = fixture.pod(.needs(0), total: .needs(2))
        guard case .waiting(let patient) = fixture.arrive(priority: .replay, isPatient: true),
            case .waiting(let huge) = fixture.arrive(.needs(3), priority: .replay, isPatient: true)
        else { throw Unexpected("they wait") }
        let impatient = try fixture.wait(priority: .replay)
        fixture.drainActions()
        fixture.pass(.milliseconds(1900))
        fixture.sample(pod, .needs(0), total: .needs(2))
        fixture.pass(.milliseconds(200))
        #expect(Set(fixture.refusals().map(\.ticket)) == [huge, impatient])
        // Samples went stale: there is no pod at all, and still it waits.
        fixture.pass(.seconds(600))
        #expect(fixture.refusals().isEmpty)
        fixture.sample(pod, .needs(2), total: .needs(2))
        #expect(fixture.dispatches() == [patient: pod.key])
    }

    @Test func aRequestIsRefusedAtItsHoldTimeoutWithTheReasonInWords() throws {
        var fixture = MachineFixture()
        for gpus: Int64 in [1, 1, 0] {
            fixture.pod(.needs(8, gpus: gpus, memory: 32), total: .needs(8, gpus: 2, memory: 32))
        }
        let ticket = try fixture.wait(.needs(1, gpus: 2))
        fixture.pass(.milliseconds(29_900))
        // Samples went stale meanwhile: bring them up to date so that the reason is about capacity.
        #expect(fixture.refusals().isEmpty)
        for key in 0..<3 {
            let pod = fixture.machine.pods[key].pod
            fixture.sample(pod, .needs(8, gpus: key < 2 ? 1 : 0, memory: 32), total: .needs(8, gpus: 2, memory: 32))
        }
        fixture.pass(.milliseconds(100))
        let refusals = fixture.refusals()
        let refusal = try #require(refusals.first)
        #expect(refusals.count == 1)
        #expect(refusal.ticket == ticket)
        #expect(refusal.refusal.reason == .noCapacity)
        #expect(refusal.refusal.detail == "needs gpus=2; the most any of 3 pods has free is 1")
        #expect(refusal.refusal.retryAfter == 60)
        #expect(refusal.refusal.hold == .seconds(30))
        #expect(!refusal.afterBusy)
        #expect(fixture.machine.isWaiting(ticket) == nil)
    }

    @Test func theReasonSaysThatThereIsNoPodOrNoneLargeEnough() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .seconds(5))])
        _ = try fixture.wait()
        fixture.pass(.seconds(5))
        let nobody = try #require(fixture.refusals().first)
        #expect(nobody.refusal.reason == .noPods)
        #expect(nobody.refusal.detail == "there is no pod")
        fixture.pod(.needs(8, gpus: 1, memory: 32))
        _ = try fixture.wait(.needs(1, gpus: 4))
        fixture.pass(.seconds(5))
        let large = try #require(fixture.refusals().first)
        #expect(large.refusal.reason == .exceedsEveryPod)
        #expect(large.refusal.detail == "needs gpus=4; the most any of 1 pod has in all is 1")
    }

    @Test func preferWaitShortensTheHoldAndNeverLengthensIt() throws {
        var fixture = MachineFixture()
        let short = try fixture.wait(holdLimit: .seconds(2))
        let long = try fixture.wait(holdLimit: .seconds(300))
        fixture.pass(.seconds(2))
        #expect(fixture.refusals().map(\.ticket) == [short])
        fixture.pass(.seconds(28))
        #expect(fixture.refusals().map(\.ticket) == [long])
    }

    @Test func aHoldTimeoutOfZeroRefusesWhatDoesNotFitAtOnce() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .zero)])
        let ticket = try fixture.wait()
        fixture.pass(.zero)
        #expect(fixture.refusals().map(\.ticket) == [ticket])
    }

    @Test func aChangedHoldTimeoutMovesTheDeadlineOfThoseWaiting() throws {
        var fixture = MachineFixture()
        let ticket = try fixture.wait()
        fixture.pass(.seconds(10))
        fixture.machine.setHoldTimeout(routeKey: 0, .seconds(60), now: fixture.now)
        fixture.pass(.seconds(49))
        #expect(fixture.refusals().isEmpty)
        fixture.pass(.seconds(1))
        #expect(fixture.refusals().map(\.ticket) == [ticket])

        let other = try fixture.wait()
        fixture.pass(.seconds(10))
        fixture.machine.setHoldTimeout(routeKey: 0, .seconds(5), now: fixture.now)
        fixture.pass(.zero)
        #expect(fixture.refusals().map(\.ticket) == [other])
        fixture.machine.setHoldTimeout(routeKey: 0, nil, now: fixture.now)
        _ = try fixture.wait()
        fixture.pass(.milliseconds(29_999))
        #expect(fixture.refusals().isEmpty)
    }

    @Test func aReloadedRouteMovesDeadlinesUnlessAnOperatorSetOne() throws {
        var fixture = MachineFixture()
        let ticket = try fixture.wait()
        fixture.machine.routesChanged([MachineFixture.route(0, hold: .seconds(3))], now: fixture.now)
        fixture.pass(.seconds(3))
        #expect(fixture.refusals().map(\.ticket) == [ticket])
        fixture.machine.setHoldTimeout(routeKey: 0, .seconds(7), now: fixture.now)
        fixture.machine.routesChanged([MachineFixture.route(0, hold: .seconds(1))], now: fixture.now)
        _ = try fixture.wait()
        fixture.pass(.seconds(6))
        #expect(fixture.refusals().isEmpty)
    }

    @Test func whileThereIsNoPodTheirOwnHoldTimeoutHolds() throws {
        var fixture = MachineFixture { $0.holdTimeoutNoPods = .seconds(2) }
        let early = try fixture.wait()
        fixture.pass(.seconds(2))
        #expect(fixture.refusals().map(\.ticket) == [early])
        let pod = fixture.pod(.needs(1))
        _ = try fixture.place()
        let held = try fixture.wait()
        fixture.pass(.seconds(5))
        #expect(fixture.refusals().isEmpty)
        // The time without a pod counts from when it went away.
        fixture.remove(pod)
        fixture.pass(.milliseconds(1_900))
        #expect(fixture.refusals().isEmpty)
        fixture.pass(.milliseconds(100))
        #expect(fixture.refusals().map(\.ticket) == [held])
    }

    @Test func whileThereIsNoPodTheyMayBeHeldForLongerAndThePodThatComesGetsThem() throws {
        var fixture = MachineFixture { $0.holdTimeoutNoPods = .seconds(60) }
        let first = try fixture.wait()
        let second = try fixture.wait()
        let impatient = try fixture.wait(holdLimit: .seconds(40))
        fixture.pass(.seconds(50))
        #expect(fixture.refusals().map(\.ticket) == [impatient])
        let pod = fixture.addPod()
        fixture.sample(pod, .needs(1), total: .needs(1))
        #expect(fixture.dispatches() == [first: pod.key])
        // From now on it waits for its turn, which its route bounds.
        for _ in 0..<2 {
            fixture.pass(.seconds(10))
            fixture.sample(pod, .zero, total: .needs(1))
        }
        fixture.pass(.milliseconds(9_900))
        #expect(fixture.refusals().isEmpty)
        fixture.pass(.milliseconds(100))
        #expect(fixture.refusals().map(\.ticket) == [second])
    }

    @Test func oneMoreThanTheQueueHoldsIsRefusedAndThoseThatFitAreNot() throws {
        var fixture = MachineFixture { $0.maxQueueDepth = 1 }
        fixture.pod(.needs(1))
        _ = try fixture.place()
        _ = try fixture.wait()
        guard case .refused(let refusal) = fixture.arrive() else { throw Unexpected("not refused") }
        #expect(refusal.reason == .queueFull)
        #expect((1...60).contains(try #require(refusal.retryAfter)))
        fixture.pod(.needs(1, gpus: 1))
        _ = try fixture.place(.needs(0, gpus: 1, memory: 0))
    }

    @Test func aRouteHasABoundOfItsOwnOnWhatWaits() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1, waiting: 2)])
        _ = try fixture.wait(route: 1)
        let second = try fixture.wait(route: 1)
        guard case .refused(let refusal) = fixture.arrive(route: 1) else { throw Unexpected("not refused") }
        #expect(refusal.reason == .queueFull)
        #expect(refusal.detail.contains("max_queue_depth is 2"))
        _ = try fixture.wait(route: 0)
        _ = fixture.cancel(second)
        _ = try fixture.wait(route: 1)
    }

    @Test func aRouteThatFillsTheQueueDoesNotCloseTheDoorToTheOthers() throws {
        var fixture = MachineFixture(routes: (0..<3).map { MachineFixture.route($0) }) { $0.maxQueueDepth = 128 }
        for _ in 0..<128 { _ = try fixture.wait(route: 0) }
        guard case .refused = fixture.arrive(route: 0) else { throw Unexpected("not refused") }
        // A 64th of the queue each, and no more: what is above the bound is for many.
        for route in 1...2 {
            _ = try fixture.wait(route: route)
            _ = try fixture.wait(route: route)
            guard case .refused = fixture.arrive(route: route) else { throw Unexpected("not refused") }
        }
        // All together an eighth above it at most.
        for key in 3..<9 {
            _ = try fixture.wait(route: key)
            _ = try fixture.wait(route: key)
        }
        #expect(fixture.machine.waitingCount == 144)
        guard case .refused = fixture.arrive(route: 9) else { throw Unexpected("not refused") }
    }

    @Test func whoLeavesWhileWaitingIsNeverHeardOfAgain() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (running, pod) = try fixture.place()
        let gone = try fixture.wait()
        let next = try fixture.wait()
        fixture.drainActions()
        let (wasThere, isStillThere) = (fixture.cancel(gone), fixture.cancel(gone))
        #expect(wasThere && !isStillThere)
        fixture.pass(.milliseconds(5))
        fixture.end(running)
        #expect(fixture.dispatches() == [next: pod.key])
        fixture.pass(.seconds(60))
        #expect(fixture.refusals().isEmpty)
    }

    @Test func aFailedCommitGivesTheLeaseBackAtOnce() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(1))
        guard case .placed(let ticket, _) = fixture.arrive() else { throw Unexpected("not placed") }
        let next = try fixture.wait()
        fixture.drainActions()
        fixture.machine.cancel(ticket, now: fixture.now)
        #expect(fixture.dispatches() == [next: pod.key])
    }

    @Test func workersAreWhatLacksOnlyWhereNoPodThatCouldHoldItHasAnIdleOne() throws {
        var fixture = MachineFixture()
        let (first, second) = (fixture.addPod(), fixture.addPod())
        fixture.sample(first, .needs(8, gpus: 2), total: .needs(8, gpus: 2), idleWorkers: 0)
        fixture.sample(second, .needs(8), total: .needs(8, gpus: 2), idleWorkers: 3)
        _ = try fixture.wait(.needs(1, gpus: 1))
        let line = try #require(fixture.machine.queueSnapshot(now: fixture.now).lines.first)
        #expect(line.why == .lacks(.gpus))
        #expect(line.explanation == "needs gpus=1; the most any of 2 pods has free is 0")
        fixture.sample(second, .needs(8, gpus: 2), total: .needs(8, gpus: 2), idleWorkers: 0)
        #expect(fixture.machine.queueSnapshot(now: fixture.now).lines.first?.why == .workers)
    }
}
