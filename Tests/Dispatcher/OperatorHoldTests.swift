import Core
import NIOCore
import Queue
import Testing

@testable import Dispatcher

/// What operators, a drain and the end of the gateway do to those that wait.
@Suite struct OperatorHoldTests {
    @Test func whatIsStoppedStaysSoWhateverOperatorsSay() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (running, _) = try fixture.place()
        let waiting = try fixture.wait(priority: .replay)
        fixture.drainActions()
        fixture.machine.stop()
        fixture.pass(.milliseconds(5))
        fixture.end(running)
        fixture.machine.adopt(OperatorControls(), now: fixture.now)
        fixture.machine.resume(now: fixture.now)
        #expect(fixture.dispatches().isEmpty)
        #expect(fixture.machine.isWaiting(waiting) == true)
        let snapshot = fixture.machine.queueSnapshot(now: fixture.now)
        #expect(!snapshot.isPaused)
        #expect(snapshot.lines.map(\.why) == [.stopped])
    }

    @Test func replaysTakeNoLiveRequestsPlace() throws {
        var fixture = MachineFixture { $0.maxQueueDepth = 4 }
        for _ in 0..<2 { _ = try fixture.wait(priority: .replay) }
        guard case .refused(let refusal) = fixture.arrive(priority: .replay) else { throw Unexpected("it waits") }
        #expect(refusal.reason == .queueFull)
        for _ in 0..<4 { _ = try fixture.wait() }
        guard case .refused = fixture.arrive() else { throw Unexpected("it waits") }
        let snapshot = fixture.machine.queueSnapshot(now: fixture.now)
        #expect(snapshot.live.count == 4 && snapshot.replays.count == 2)
        #expect(fixture.machine.depth(now: fixture.now).count == 4)
    }

    @Test func podsThatAreAllBeingDrainedAreTheReason() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(1))
        fixture.machine.drainPod(key: pod.key, now: fixture.now)
        _ = try fixture.wait()
        let line = try #require(fixture.machine.queueSnapshot(now: fixture.now).lines.first)
        #expect(line.why == .podsDraining)
        #expect(line.explanation == "every pod is being drained (1 pod): nothing new is sent to it")
        fixture.pass(.seconds(31))
        #expect(fixture.refusals().map(\.refusal.reason) == [.noPods])
    }

    @Test func pauseHoldsEverythingAndItsTimeoutsGoOn() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(4, memory: 8))
        fixture.machine.pause(now: fixture.now)
        let short = try fixture.wait(holdLimit: .seconds(1))
        let long = try fixture.wait(holdLimit: .seconds(3))
        fixture.pass(.seconds(1))
        let refusal = try #require(fixture.refusals().first)
        #expect(refusal.ticket == short)
        #expect(refusal.refusal.detail == "dispatching is paused by an operator")
        fixture.machine.resume(now: fixture.now)
        #expect(fixture.dispatches() == [long: pod.key])
    }

    @Test func aRouteSendsNoMoreAtOnceThanItsBound() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1)])
        let pod = fixture.pod(.needs(8, memory: 8))
        fixture.machine.setMaxConcurrency(routeKey: 0, 1, now: fixture.now)
        let (running, _) = try fixture.place()
        let second = try fixture.wait()
        let third = try fixture.wait()
        _ = try fixture.place(route: 1)
        fixture.end(running)
        #expect(fixture.dispatches() == [second: pod.key])
        fixture.machine.setMaxConcurrency(routeKey: 0, nil, now: fixture.now)
        #expect(fixture.dispatches() == [third: pod.key])
    }

    @Test func aPausedRouteHoldsItsOwnRequestsOnly() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1)])
        let pod = fixture.pod(.needs(8, memory: 8))
        fixture.machine.setPaused(routeKey: 0, true, now: fixture.now)
        let short = try fixture.wait(holdLimit: .seconds(1))
        let long = try fixture.wait(holdLimit: .seconds(3))
        // Nobody else is held up, and no pod is asked more often for the sake of those.
        _ = try fixture.place(route: 1)
        #expect(fixture.drainActions().isEmpty)
        fixture.pass(.seconds(1))
        let refusal = try #require(fixture.refusals().first)
        #expect(refusal.ticket == short)
        #expect(refusal.refusal.detail == "its route is paused by an operator")
        fixture.machine.setPaused(routeKey: 0, false, now: fixture.now)
        #expect(fixture.dispatches() == [long: pod.key])
    }

    @Test func aRouteThatIsPausedKeepsNoPodReserved() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1)])
        let pod = fixture.pod(.needs(4))
        let (running, _) = try fixture.place(.needs(2, memory: 0))
        _ = try fixture.wait(.needs(4, memory: 0))
        fixture.pass(.seconds(5))
        fixture.sample(pod, .needs(2), total: .needs(4))
        #expect(fixture.machine.podSnapshots(now: fixture.now).first?.reservedForRouteID == Route.defaultID)
        let other = try fixture.wait(.needs(2, memory: 0), route: 1)
        fixture.drainActions()
        fixture.machine.setPaused(routeKey: 0, true, now: fixture.now)
        #expect(fixture.dispatches() == [other: pod.key])
        fixture.machine.setPaused(routeKey: 0, false, now: fixture.now)
        #expect(fixture.machine.podSnapshots(now: fixture.now).first?.reservedForRouteID == Route.defaultID)
        fixture.end(running)
    }

    @Test func aRoutesBoundIsTheOperatorsElseTheConfigured() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, atOnce: 1)])
        let pod = fixture.pod(.needs(8, memory: 8))
        _ = try fixture.place()
        let second = try fixture.wait()
        let third = try fixture.wait()
        fixture.machine.setMaxConcurrency(routeKey: 0, 2, now: fixture.now)
        #expect(fixture.dispatches() == [second: pod.key])
        // Another configuration does not touch what an operator set; giving that back does.
        fixture.machine.routesChanged([MachineFixture.route(0, atOnce: 5)], now: fixture.now)
        #expect(fixture.dispatches().isEmpty)
        fixture.machine.setMaxConcurrency(routeKey: 0, nil, now: fixture.now)
        #expect(fixture.dispatches() == [third: pod.key])
        #expect(fixture.machine.queueSnapshot(now: fixture.now).routes.first?.maxConcurrency == 5)
    }

    @Test func whatOperatorsSetIsTakenOverAsAWhole() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1)])
        let pod = fixture.pod(.needs(8, memory: 8))
        var controls = OperatorControls()
        controls.isPaused = true
        controls.pausedRoutes = ["POST /1", "POST /gone"]
        controls.holdTimeouts = [Route.defaultID: .seconds(2)]
        controls.maxConcurrency = [Route.defaultID: 1]
        fixture.machine.adopt(controls, now: fixture.now)
        let tickets = [try fixture.wait(), try fixture.wait(), try fixture.wait(route: 1)]
        let routes = fixture.machine.queueSnapshot(now: fixture.now).routes
        #expect(routes.map(\.isPaused) == [false, true])
        #expect(routes.map(\.maxConcurrency) == [1, nil])
        controls.isPaused = false
        fixture.machine.adopt(controls, now: fixture.now)
        #expect(fixture.dispatches() == [tickets[0]: pod.key])
        fixture.pass(.seconds(2))
        #expect(fixture.refusals().map(\.ticket) == [tickets[1]])
        fixture.machine.adopt(OperatorControls(), now: fixture.now)
        #expect(fixture.dispatches() == [tickets[2]: pod.key])
    }

    @Test func aDrainingGatewayRefusesWhatComesAndLaterWhatWaits() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (running, _) = try fixture.place()
        let waiting = try fixture.wait()
        fixture.machine.beginDrain(now: fixture.now)
        guard case .refused(let refusal) = fixture.arrive() else { throw Unexpected("not refused") }
        #expect(refusal.reason == .draining)
        #expect(fixture.refusals().isEmpty)
        fixture.machine.refuseAllWaiting(now: fixture.now)
        let refused = try #require(fixture.refusals().first)
        #expect(refused.ticket == waiting)
        #expect(refused.refusal.reason == .draining)
        #expect((1...60).contains(try #require(refused.refusal.retryAfter)))
        // What would go back to its line now is refused too.
        fixture.end(running, .busy)
        #expect(fixture.refusals().map(\.ticket) == [running])
    }
}
