import Core
import NIOCore
import Testing

@testable import Pods

@Suite("When a pod is polled")
struct PollScheduleTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func pods(_ count: Int) -> [Pod] {
        (0..<count).map { Pod(key: $0, description: PodDescription(host: "10.0.0.\($0)", port: 80)) }
    }

    private func schedule() -> PollSchedule {
        PollSchedule(interval: .seconds(2), minimumDistance: .milliseconds(50), generator: Counter())
    }

    /// A generator that is the same in every run.
    private struct Counter: RandomNumberGenerator, Sendable {
        var state: UInt64 = 1
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 33)
        }
    }

    @Test("a new pod is polled at once, then 90 to 100 % of the interval after the last one began")
    func regular() {
        var schedule = schedule()
        let pod = pods(1)[0]
        schedule.replace([pod], now: start)
        #expect(schedule.begin(at: start) == [pod])
        #expect(schedule.next() == nil, "one is under way")
        var begun = start
        for _ in 0..<20 {
            schedule.ended(pod, at: begun + .milliseconds(3))
            let next = schedule.next()!
            let distance = next - begun
            #expect(distance >= .milliseconds(1790) && distance <= .milliseconds(2000), "\(distance)")
            #expect(schedule.begin(at: next - .nanoseconds(1)).isEmpty)
            #expect(schedule.begin(at: next) == [pod])
            begun = next
        }
    }

    @Test("a poll slower than its interval is followed at once, and delays no other pod")
    func slow() {
        var schedule = schedule()
        let pods = pods(2)
        schedule.replace(pods, now: start)
        #expect(schedule.begin(at: start).count == 2)
        schedule.ended(pods[1], at: start + .milliseconds(1))
        #expect(schedule.begin(at: start + .seconds(2)) == [pods[1]])
        schedule.ended(pods[1], at: start + .seconds(2))
        #expect(schedule.begin(at: start + .seconds(4)) == [pods[1]])
        schedule.ended(pods[0], at: start + .seconds(5))
        #expect(schedule.begin(at: start + .seconds(5)) == [pods[0]])
    }

    @Test("a poll that is asked for begins at once, but 50 ms after the last one began")
    func wanted() {
        var schedule = schedule()
        let pod = pods(1)[0]
        schedule.replace([pod], now: start)
        _ = schedule.begin(at: start)
        schedule.ended(pod, at: start + .milliseconds(1))
        schedule.want(pod, now: start + .milliseconds(2))
        schedule.want(pod, now: start + .milliseconds(3))
        #expect(schedule.next() == start + .milliseconds(50))
        #expect(schedule.begin(at: start + .milliseconds(50)) == [pod])
        schedule.ended(pod, at: start + .milliseconds(51))
        schedule.want(pod, now: start + .milliseconds(700))
        #expect(schedule.begin(at: start + .milliseconds(700)) == [pod])
        #expect(schedule.begin(at: start + .milliseconds(700)).isEmpty)
    }

    @Test("a poll asked for while one is under way follows it once")
    func wantedWhileUnderWay() {
        var schedule = schedule()
        let pod = pods(1)[0]
        schedule.replace([pod], now: start)
        _ = schedule.begin(at: start)
        schedule.want(pod, now: start + .milliseconds(1))
        schedule.want(pod, now: start + .milliseconds(2))
        #expect(schedule.next() == nil)
        schedule.ended(pod, at: start + .milliseconds(300))
        #expect(schedule.begin(at: start + .milliseconds(300)) == [pod])
        schedule.ended(pod, at: start + .milliseconds(301))
        #expect(schedule.next()! > start + .seconds(2))
    }

    @Test("an interval of its own moves the next poll, nearer and farther, and nil gives the configured one back")
    func intervals() {
        var schedule = schedule()
        let pods = pods(2)
        schedule.replace(pods, now: start)
        _ = schedule.begin(at: start)
        for pod in pods { schedule.ended(pod, at: start + .milliseconds(1)) }
        schedule.setInterval(.milliseconds(250), for: pods[0], now: start + .milliseconds(10))
        let next = schedule.next()!
        #expect(next >= start + .milliseconds(215) && next <= start + .milliseconds(250))
        #expect(schedule.begin(at: next) == [pods[0]])
        schedule.setInterval(nil, for: pods[0], now: next)
        schedule.ended(pods[0], at: next + .milliseconds(1))
        #expect(schedule.begin(at: next + .milliseconds(1700)) == [pods[1]])
        #expect(schedule.begin(at: next + .milliseconds(2000)) == [pods[0]])
    }

    @Test("a poll that was asked for is not put off by an interval")
    func wantedBeforeInterval() {
        var schedule = schedule()
        let pod = pods(1)[0]
        schedule.replace([pod], now: start)
        _ = schedule.begin(at: start)
        schedule.ended(pod, at: start + .milliseconds(1))
        schedule.want(pod, now: start + .milliseconds(10))
        schedule.setInterval(.milliseconds(250), for: pod, now: start + .milliseconds(10))
        #expect(schedule.next() == start + .milliseconds(50))
        #expect(schedule.begin(at: start + .milliseconds(50)) == [pod])
        schedule.ended(pod, at: start + .milliseconds(51))
        #expect(schedule.next()! >= start + .milliseconds(250), "asked for once")
    }

    @Test("an interval that shrinks after it has passed polls at once")
    func lateInterval() {
        var schedule = schedule()
        let pod = pods(1)[0]
        schedule.replace([pod], now: start)
        _ = schedule.begin(at: start)
        schedule.ended(pod, at: start + .milliseconds(1))
        schedule.setInterval(.milliseconds(250), for: pod, now: start + .milliseconds(900))
        #expect(schedule.next() == start + .milliseconds(900))
    }

    @Test("a pod that went away is not polled, and the end of its last poll is passed over")
    func gone() {
        var schedule = schedule()
        let pods = pods(3)
        schedule.replace(pods, now: start)
        _ = schedule.begin(at: start)
        schedule.ended(pods[0], at: start)
        schedule.replace([pods[2]], now: start)
        schedule.ended(pods[1], at: start)
        schedule.want(pods[0], now: start)
        schedule.setInterval(.milliseconds(250), for: pods[0], now: start)
        #expect(schedule.next() == nil)
        schedule.ended(pods[2], at: start)
        #expect(schedule.begin(at: start + .seconds(10)) == [pods[2]])
    }

    @Test("thousands of pods are spread over the interval and wake the thread a hundred times a second at most")
    func spread() {
        var schedule = schedule()
        let pods = pods(2000)
        schedule.replace(pods, now: start)
        var now = start
        var wakes = 0
        var polls: [NIODeadline: Int] = [:]
        while let next = schedule.next(), next < start + .seconds(60) {
            now = max(next, now)
            let due = schedule.begin(at: now)
            wakes += 1
            polls[now] = due.count
            for pod in due { schedule.ended(pod, at: now) }
        }
        #expect(wakes <= 6001)
        let late = polls.filter { $0.key > start + .seconds(50) }
        #expect(late.values.reduce(0, +) > 9_900)
        #expect(late.values.max()! < 60, "they drifted apart")
    }
}
