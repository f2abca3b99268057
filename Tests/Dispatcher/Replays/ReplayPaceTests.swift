import Dispatcher
import Testing

@Suite("The pace of a bulk replay")
struct ReplayPaceTests {
    /// Looks every `interval` for as long as `time`; what is made ends at once.
    private func made(rate: Double, interval: Duration, for time: Duration) -> Int {
        var pace = ReplayPace(rate: rate)
        var now = Duration.zero
        var made = 0
        while now < time {
            let room = pace.allowance(at: now, open: 0)
            pace.spend(room)
            made += room
            now += interval
        }
        return made
    }

    @Test(
        "over a time it makes what its rate says, however often it looks",
        arguments: [(0.5, 20), (10.0, 200), (500.0, 5000), (900.0, 9000)]
    )
    func rate(rate: Double, expected: Int) {
        let usual = ReplayPace(rate: rate).interval
        for interval in [usual / 3, usual, usual * 1.5] {
            let made = made(
                rate: rate,
                interval: interval,
                for: .seconds(expected == 20 ? 40 : expected == 200 ? 20 : 10)
            )
            #expect(abs(made - expected) <= max(1, expected / 100), "every \(interval): \(made)")
        }
    }

    @Test("the first goes at once, also at the slowest rate")
    func first() {
        var pace = ReplayPace(rate: 0.01)
        #expect(pace.allowance(at: .seconds(5), open: 0) == 1)
    }

    @Test("what could not be made for long is not made up for all at once")
    func burst() {
        var pace = ReplayPace(rate: 500)
        _ = pace.allowance(at: .zero, open: 100)
        #expect(pace.allowance(at: .seconds(3600), open: 0) == 11)
        pace.spend(11)
        #expect(pace.allowance(at: .seconds(3600), open: 0) == 0)
        // A clock that steps back gives nothing.
        #expect(pace.allowance(at: .seconds(1), open: 0) == 0)
    }

    @Test("a hundred have not ended at most, at any rate")
    func ahead() {
        var pace = ReplayPace(rate: 10_000)
        _ = pace.allowance(at: .zero, open: 0)
        #expect(pace.allowance(at: .seconds(1), open: 0) == 100)
        #expect(pace.allowance(at: .seconds(1), open: 97) == 3)
        #expect(pace.allowance(at: .seconds(1), open: 100) == 0)
        #expect(pace.allowance(at: .seconds(1), open: 105) == 0)
    }

    @Test("it looks often enough for its rate, and never in a rush", arguments: [0.01, 1, 10, 500, 10_000])
    func interval(rate: Double) {
        let interval = ReplayPace(rate: rate).interval
        #expect(interval >= .milliseconds(10) && interval <= .milliseconds(250))
    }
}
