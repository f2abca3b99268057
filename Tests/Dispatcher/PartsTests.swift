import Core
import NIOCore
import Queue
import Testing

@testable import Dispatcher

@Suite struct DeadlineHeapTests {
    @Test func theNearestIsAtHandWhateverIsMovedAndRemoved() {
        var random = SeededGenerator(seed: 7)
        var heap = DeadlineHeap()
        var model: [Int: NIODeadline] = [:]
        for _ in 0..<5_000 {
            let slot = Int(random.pick(0...200))
            if random.chance(0.3) {
                heap.remove(slot)
                model[slot] = nil
            } else {
                let deadline = NIODeadline.uptimeNanoseconds(UInt64(random.pick(0...1_000)))
                heap.set(slot, to: deadline)
                model[slot] = deadline
            }
            #expect(heap.nearest?.deadline == model.values.min())
            #expect(heap.deadline(of: slot) == model[slot])
        }
    }
}

@Suite struct DispatchRateTests {
    private static func at(_ seconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000_000) + .seconds(seconds)
    }

    @Test func retryAfterIsTheLineOverTheDispatchesOfTheLastMinute() {
        var rate = DispatchRate()
        #expect(rate.retryAfter(waiting: 0, now: Self.at(0)) == 60)
        for second in 0..<30 { rate.count(now: Self.at(Int64(second))) }
        #expect(rate.retryAfter(waiting: 9, now: Self.at(30)) == 20)
        #expect(rate.retryAfter(waiting: 0, now: Self.at(30)) == 2)
        #expect(rate.retryAfter(waiting: 1_000, now: Self.at(30)) == 60)
        // Half of them are more than a minute ago.
        #expect(rate.retryAfter(waiting: 9, now: Self.at(74)) == 40)
        #expect(rate.retryAfter(waiting: 0, now: Self.at(200)) == 60)
    }

    @Test func itIsNeverUnderASecond() {
        var rate = DispatchRate()
        for _ in 0..<10_000 { rate.count(now: Self.at(0)) }
        #expect(rate.retryAfter(waiting: 0, now: Self.at(1)) == 1)
    }
}

@Suite struct WaitingLinesTests {
    /// Joins, leaves and returns at random, against a sorted array.
    @Test func theFirstIsAlwaysTheOldestAndEmptyLinesAreGone() {
        var random = SeededGenerator(seed: 3)
        var requests = RequestTable()
        var lines = WaitingLines()
        var waiting: [Int] = []
        var away: [Int] = []
        var sequence: UInt64 = 0
        for _ in 0..<5_000 {
            switch random.pick(0...3) {
            case 0, 1:
                var entry = RequestEntry()
                entry.sequence = sequence
                entry.routeKey = Int32(random.pick(0...2))
                sequence += 1
                let slot = requests.insert(entry)
                _ = lines.join(slot, &requests)
                waiting.append(slot)
            case 2:
                guard let index = waiting.indices.randomElement(using: &random) else { continue }
                let slot = waiting.remove(at: index)
                lines.leave(slot, &requests)
                if random.chance(0.5) {
                    requests[slot].phase = .leased
                    away.append(slot)
                } else {
                    requests.remove(slot)
                }
            default:
                guard let index = away.indices.randomElement(using: &random) else { continue }
                let slot = away.remove(at: index)
                requests[slot].wasReturned = true
                _ = lines.join(slot, &requests)
                waiting.append(slot)
            }
            let byRoute = Dictionary(grouping: waiting) { Int(requests[$0].routeKey) }
            #expect(lines.count == waiting.count)
            #expect(lines.active.count == byRoute.count)
            for line in lines.active.map({ Int($0) }) {
                let members = byRoute[lines[line].routeKey] ?? []
                #expect(lines[line].count == members.count)
                #expect(lines[line].headSequence == members.map { requests[$0].sequence }.min())
                #expect(lines.line(routeKey: lines[line].routeKey, priority: .live, needs: .zero) == line)
            }
        }
    }
}

@Suite struct SnapshotTests {
    @Test func whatABulkReplayMadeHasNoDeadline() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0)])
        _ = fixture.pod(.needs(1))
        _ = try fixture.place(.needs(1))
        guard case .waiting = fixture.arrive(priority: .replay, isPatient: true) else { throw Unexpected("not held") }
        let line = try #require(fixture.machine.queueSnapshot(now: fixture.now).lines.first)
        #expect(line.priority == .replay && line.deadlineIn == nil)
    }

    @Test func theQueueSaysHowManyWaitForWhatAndHowLong() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1)])
        let pod = fixture.pod(.needs(2, gpus: 1, memory: 8))
        _ = try fixture.place(.needs(2, gpus: 1))
        _ = try fixture.wait(.needs(0, gpus: 1), route: 1)
        fixture.pass(.seconds(1))
        _ = try fixture.wait(.needs(0, gpus: 1), route: 1)
        _ = try fixture.wait(.needs(1))
        let snapshot = fixture.machine.queueSnapshot(now: fixture.now)
        #expect(snapshot.live == QueueSnapshot.Depth(count: 3, oldestAge: .seconds(1)))
        #expect(snapshot.routes.map(\.id) == ["default", "POST /1"])
        #expect(snapshot.routes.map(\.depth.count) == [1, 2])
        #expect(snapshot.routes.map(\.dispatched) == [1, 0])
        #expect(snapshot.lacking.mapValues(\.count) == ["gpus": 2, "cpus": 1])
        #expect(snapshot.dispatched == 1)
        let line = try #require(snapshot.lines.first)
        #expect(line.explanation == "needs gpus=1; the most any of 1 pod has free is 0")
        #expect(line.deadlineIn == .seconds(29))
        #expect(snapshot.lines.allSatisfy { $0.deadlineIn != nil })
        let pods = fixture.machine.podSnapshots(now: fixture.now)
        #expect(pods.count == 1)
        #expect(pods[0].pod == pod && pods[0].leases == 1 && pods[0].leased == .needs(2, gpus: 1))
        #expect(pods[0].available == .needs(0, gpus: 0, memory: 7))
        #expect(pods[0].isRoutable && pods[0].breaker == "closed")
        #expect(fixture.machine.openLeases(of: pod).count == 1)
    }

    @Test func eachReasonHasItsWords() throws {
        var fixture = MachineFixture(routes: (0..<4).map { MachineFixture.route($0) })
        func why(_ fixture: MachineFixture) -> String? {
            fixture.machine.queueSnapshot(now: fixture.now).lines.last?.explanation
        }
        fixture.pod(.needs(4, memory: 1), total: .needs(4, memory: 8), idleWorkers: 1)
        fixture.pod(.needs(1, memory: 8), total: .needs(4, memory: 8), idleWorkers: 1)
        let fragmented = try fixture.wait(.needs(2, memory: 4))
        #expect(why(fixture) == "needs cpus=2, gpus=0, memory_gb=4; no one of 2 pods has all of that free at once")
        fixture.machine.cancel(fragmented, now: fixture.now)
        for _ in 0..<2 { _ = try fixture.place(.needs(0, memory: 0), route: 1) }
        _ = try fixture.wait(.zero, route: 1)
        #expect(why(fixture) == "none of 2 pods has an idle worker for it")
        _ = try fixture.wait(.needs(2, gpus: 1, memory: 4), route: 2)
        #expect(why(fixture) == "needs gpus=1; the most any of 2 pods has in all is 0")
        fixture.machine.setMaxConcurrency(routeKey: 3, 0, now: fixture.now)
        _ = try fixture.wait(.zero, route: 3)
        #expect(why(fixture) == "0 requests of its route are with pods, which is as many as may be")
        fixture.machine.setPaused(routeKey: 3, true, now: fixture.now)
        #expect(why(fixture) == "its route is paused by an operator")
    }
}
