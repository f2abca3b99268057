import Core
import NIOCore
import Queue
import Testing

@testable import Dispatcher

@Suite struct PlacementTests {
    @Test func requestsWithoutGPUsGoFirstToPodsThatHaveNone() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(8, gpus: 2, memory: 32))
        let plain = fixture.pod(.needs(2, memory: 32))
        #expect(try fixture.place().1 == plain)
        #expect(try fixture.place().1 == plain)
        #expect(try fixture.place().1.key == 0)
    }

    @Test func aRequestForAGPUNeverGoesToAPodWithoutAFreeOne() throws {
        var fixture = MachineFixture()
        let one = fixture.pod(.needs(8, gpus: 1, memory: 32))
        fixture.pod(.needs(8, memory: 32))
        #expect(try fixture.place(.needs(1, gpus: 1)).1 == one)
        _ = try fixture.wait(.needs(1, gpus: 1))
    }

    @Test func theLeastUtilizedGetsItAndEqualsTakeTurns() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(8, memory: 8))
        fixture.pod(.needs(4, memory: 8))
        var counts = [0, 0]
        for _ in 0..<6 { counts[try fixture.place(.needs(1, memory: 0)).1.key] += 1 }
        #expect(counts == [4, 2])
    }

    @Test func bestFitLeavesTheLargeRoomsFree() throws {
        var fixture = MachineFixture { $0.placement = .bestFit }
        fixture.pod(.needs(8, memory: 8))
        let small = fixture.pod(.needs(2, memory: 2), total: .needs(8, memory: 8))
        #expect(try fixture.place().1 == small)
    }

    @Test func roundRobinTakesTurns() throws {
        var fixture = MachineFixture { $0.placement = .roundRobin }
        for _ in 0..<3 { fixture.pod(.needs(8, memory: 8)) }
        let keys = try (0..<6).map { _ in try fixture.place().1.key }
        #expect(keys == [0, 1, 2, 0, 1, 2])
    }

    @Test func aDrainedPodGetsNothingNewAndFinishesWhatItHas() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(8, memory: 8))
        let (running, _) = try fixture.place()
        fixture.machine.drainPod(key: pod.key, now: fixture.now)
        let waiting = try fixture.wait()
        fixture.end(running)
        #expect(fixture.dispatches().isEmpty)
        fixture.machine.undrainPod(key: pod.key, now: fixture.now)
        #expect(fixture.dispatches() == [waiting: pod.key])
    }

    @Test func aPodThatGoesAwayIsForgottenWhenItHasFinished() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(8, memory: 8))
        let (running, _) = try fixture.place()
        fixture.remove(pod)
        #expect(fixture.machine.podSnapshots(now: fixture.now).first?.isGone == true)
        _ = try fixture.wait()
        fixture.end(running)
        #expect(fixture.machine.podSnapshots(now: fixture.now).isEmpty)
        #expect(fixture.machine.leasedCount == 0)
    }

    @Test func aNewPodGetsWhatWaitsWithItsFirstSample() throws {
        var fixture = MachineFixture()
        let ticket = try fixture.wait()
        let pod = fixture.addPod()
        fixture.sample(pod, .needs(1))
        #expect(fixture.dispatches() == [ticket: pod.key])
    }

    // MARK: Reservations

    @Test func smallRequestsDoNotStarveALargeOne() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .seconds(60)), MachineFixture.route(1)])
        let pod = fixture.pod(.needs(4, memory: 64))
        var running: [Ticket] = []
        for _ in 0..<4 { running.append(try fixture.place(.needs(1, memory: 0), route: 1).0) }
        let large = try fixture.wait(.needs(3, memory: 0))
        // Small ones come all the time and are let past it, until it has waited for five seconds.
        var dispatchedAt: Int64?
        for round in 0..<100 where dispatchedAt == nil {
            fixture.pass(.milliseconds(100))
            fixture.end(running.removeFirst())
            if case .placed(let ticket, _) = fixture.arrive(.needs(1, memory: 0), route: 1) { running.append(ticket) }
            for case .dispatch(let ticket, _) in fixture.drainActions() {
                if ticket == large { dispatchedAt = Int64(round) * 100 } else { running.append(ticket) }
            }
            if round % 10 == 0 {
                for ticket in running { fixture.machine.written(ticket, at: fixture.now) }
                fixture.pass(.milliseconds(30))
                let used = Int64(running.count)
                fixture.sample(pod, .needs(4 - used, memory: 64), total: .needs(4, memory: 64))
            }
        }
        let at = try #require(dispatchedAt)
        #expect((4_500...6_000).contains(at))
    }

    @Test func othersMayUseWhatTheReservedRequestDoesNotNeed() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(8, gpus: 1, memory: 64))
        _ = try fixture.place(.needs(2, gpus: 1))
        let large = try fixture.wait(.needs(4, gpus: 1))
        fixture.pass(.seconds(6))
        #expect(fixture.machine.podSnapshots(now: fixture.now)[0].reservedForRouteID == Route.defaultID)
        _ = try fixture.place(.needs(2))
        let third = try fixture.wait(.needs(1))
        let line = try #require(fixture.machine.queueSnapshot(now: fixture.now).lines.last)
        #expect(line.why == .reserved)
        // It leaves, and its reservation with it.
        fixture.machine.cancel(large, now: fixture.now)
        #expect(fixture.dispatches() == [third: pod.key])
        #expect(fixture.machine.podSnapshots(now: fixture.now)[0].reservedForRouteID == nil)
    }

    @Test func onePodIsReservedForOneAndTheyAreGivenInTheOrderOfArrival() throws {
        var fixture = MachineFixture(routes: (0..<3).map { MachineFixture.route($0) })
        fixture.pod(.needs(4, memory: 64))
        fixture.pod(.needs(4, memory: 64))
        for _ in 0..<2 { _ = try fixture.place(.needs(4)) }
        for route in [2, 0, 1] { _ = try fixture.wait(.needs(3), route: route) }
        fixture.pass(.seconds(5))
        let lines = fixture.machine.queueSnapshot(now: fixture.now).lines
        #expect(lines.map { $0.reservedPodID != nil } == [true, true, false])
        #expect(lines[0].reservedPodID != lines[1].reservedPodID)
        #expect(lines.map(\.routeID) == ["POST /2", "default", "POST /1"])
    }

    @Test func aReservationMovesWhenItsPodCanNoLongerServe() throws {
        var fixture = MachineFixture()
        let first = fixture.pod(.needs(4, memory: 64))
        let second = fixture.pod(.needs(1, memory: 64), total: .needs(4, memory: 64))
        _ = try fixture.place(.needs(2))
        _ = try fixture.wait(.needs(4))
        fixture.pass(.seconds(5))
        #expect(fixture.machine.queueSnapshot(now: fixture.now).lines[0].reservedPodID == first.id)
        fixture.machine.drainPod(key: first.key, now: fixture.now)
        #expect(fixture.machine.queueSnapshot(now: fixture.now).lines[0].reservedPodID == second.id)
        fixture.machine.drainPod(key: second.key, now: fixture.now)
        #expect(fixture.machine.queueSnapshot(now: fixture.now).lines[0].reservedPodID == nil)
        fixture.machine.undrainPod(key: second.key, now: fixture.now)
        #expect(fixture.machine.queueSnapshot(now: fixture.now).lines[0].reservedPodID == second.id)
    }

    @Test func nothingIsReservedForWhatNoPodCouldHoldNorForReplays() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(4, memory: 64))
        _ = try fixture.place(.needs(4))
        _ = try fixture.wait(.needs(5))
        _ = try fixture.wait(.needs(2), priority: .replay)
        fixture.pass(.seconds(6))
        #expect(fixture.machine.queueSnapshot(now: fixture.now).lines.allSatisfy { $0.reservedPodID == nil })
    }
}
