import Core
import NIOCore
import Queue
import Testing

@testable import Dispatcher

@Suite struct PollingTests {
    private func intervals(_ actions: [DispatchAction]) -> [Int: TimeAmount?] {
        var intervals: [Int: TimeAmount?] = [:]
        for case .setInterval(let pod, let interval) in actions { intervals[pod.key] = .some(interval) }
        return intervals
    }

    @Test func podsThatCouldHoldWhatWaitsArePolledFasterUntilNobodyDoes() throws {
        var fixture = MachineFixture()
        let able = fixture.pod(.needs(1, gpus: 1))
        fixture.pod(.needs(1))
        let (running, _) = try fixture.place(.needs(1, gpus: 1))
        let ticket = try fixture.wait(.needs(1, gpus: 1))
        #expect(intervals(fixture.drainActions()) == [able.key: .milliseconds(250)])
        fixture.pass(.seconds(2))
        #expect(intervals(fixture.drainActions()).isEmpty)
        fixture.end(running)
        #expect(fixture.dispatches() == [ticket: able.key])
        fixture.pass(.seconds(1))
        #expect(intervals(fixture.drainActions()) == [able.key: nil])
        #expect(fixture.machine.nextWake != nil)
    }

    @Test func withManyPodsTheyArePolledLessOften() throws {
        var fixture = MachineFixture { $0.urgentPollsPerSecond = 4 }
        for _ in 0..<3 { fixture.pod(.needs(1)) }
        for _ in 0..<3 { _ = try fixture.place() }
        _ = try fixture.wait()
        #expect(Set(intervals(fixture.drainActions()).values) == [.milliseconds(750)])
    }

    @Test func anUncertainLeaseIsWorthAPollOnlyIfSomeoneWaits() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(2, memory: 8))
        let (first, _) = try fixture.place()
        let (second, _) = try fixture.place()
        fixture.pass(.milliseconds(10))
        fixture.sample(pod, .needs(0, memory: 6), total: .needs(2, memory: 8))
        fixture.end(first)
        #expect(fixture.polls().isEmpty)
        _ = try fixture.wait(.needs(2))
        #expect(fixture.polls() == [pod.key])
        // Asked for already.
        fixture.end(second)
        #expect(fixture.polls().isEmpty)
    }

    @Test func aHintThatDisagreesIsAPollAndNeverEntered() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(8, memory: 8))
        fixture.machine.capacityHint(pod, .needs(8, memory: 8), now: fixture.now)
        #expect(fixture.polls().isEmpty)
        fixture.machine.capacityHint(pod, .needs(1, memory: 1), now: fixture.now)
        #expect(fixture.polls() == [pod.key])
        _ = try fixture.place(.needs(8))
    }

    @Test func pollsForThoseWhoWaitAreBoundedOverAllPods() {
        var pace = PollPace(perSecond: 20)
        let start = NIODeadline.uptimeNanoseconds(5_000_000_000)
        let atOnce = (0..<10).count { _ in pace.allows(now: start) }
        #expect(atOnce == 2)
        let later = (1...1_000).count { pace.allows(now: start + .milliseconds(Int64($0))) }
        #expect((19...20).contains(later))
    }
}
