import NIOCore
import Testing

@testable import Dispatcher

@Suite struct BreakerTests {
    private static func at(_ seconds: Int64) -> NIODeadline { .uptimeNanoseconds(1_000_000_000) + .seconds(seconds) }

    private func opened(_ failure: Breaker.Failure = .transport) -> Breaker {
        var breaker = Breaker(BreakerConfiguration())
        for _ in 0..<5 { breaker.failed(failure, isTrial: false, now: Self.at(0)) }
        return breaker
    }

    @Test func itOpensAtFiveFailuresInARow() {
        var breaker = Breaker(BreakerConfiguration())
        for _ in 0..<4 { breaker.failed(.transport, isTrial: false, now: Self.at(0)) }
        breaker.succeeded(startedAt: Self.at(0))
        for _ in 0..<4 { breaker.failed(.answer, isTrial: false, now: Self.at(0)) }
        #expect(!breaker.isShut)
        breaker.failed(.transport, isTrial: false, now: Self.at(1))
        #expect(breaker.isShut)
        #expect(breaker.reopensAt == Self.at(11))
    }

    @Test func itIsHardOnlyIfEveryFailureWasOneOfTransport() {
        #expect(opened(.transport).isHard)
        #expect(!opened(.answer).isHard)
        var mixed = Breaker(BreakerConfiguration())
        mixed.failed(.answer, isTrial: false, now: Self.at(0))
        for _ in 0..<4 { mixed.failed(.transport, isTrial: false, now: Self.at(0)) }
        #expect(mixed.isShut && !mixed.isHard)
    }

    @Test func afterItsTimeItLetsOneRequestThrough() {
        var breaker = opened()
        breaker.tick(now: Self.at(9))
        #expect(breaker.isShut)
        breaker.tick(now: Self.at(10))
        let (first, second) = (breaker.began(now: Self.at(10)), breaker.began(now: Self.at(10)))
        #expect(first && !second)
        #expect(breaker.isShut)
        breaker.trialEnded()
        #expect(!breaker.isShut)
    }

    @Test func aTrialThatTakesLongDoesNotKeepOthersOutForAsLong() {
        var breaker = opened()
        breaker.tick(now: Self.at(10))
        _ = breaker.began(now: Self.at(10))
        #expect(breaker.nextTrial == Self.at(20))
        breaker.tick(now: Self.at(19))
        #expect(breaker.isShut)
        breaker.tick(now: Self.at(20))
        #expect(!breaker.isShut && !breaker.isClosed)
        let isTrial = breaker.began(now: Self.at(20))
        #expect(isTrial && breaker.isShut)
    }

    @Test func eachFailedTrialDoublesItsTimeUpToAMinute() {
        var breaker = opened()
        var now: Int64 = 0
        for period: Int64 in [10, 20, 40, 60, 60] {
            #expect(breaker.reopensAt == Self.at(now + period))
            now += period
            breaker.tick(now: Self.at(now))
            let isTrial = breaker.began(now: Self.at(now))
            breaker.failed(.transport, isTrial: isTrial, now: Self.at(now))
        }
        breaker.tick(now: Self.at(now + 60))
        _ = breaker.began(now: Self.at(now + 60))
        breaker.succeeded(startedAt: Self.at(now + 60))
        #expect(breaker.isClosed)
        for _ in 0..<5 { breaker.failed(.transport, isTrial: false, now: Self.at(1_000)) }
        #expect(breaker.reopensAt == Self.at(1_010))
    }

    @Test func whatWasSentBeforeItOpenedChangesNothing() {
        var breaker = Breaker(BreakerConfiguration())
        for _ in 0..<5 { breaker.failed(.transport, isTrial: false, now: Self.at(5)) }
        breaker.succeeded(startedAt: Self.at(4))
        breaker.failed(.transport, isTrial: false, now: Self.at(6))
        #expect(breaker.reopensAt == Self.at(15))
        breaker.succeeded(startedAt: Self.at(7))
        #expect(breaker.isClosed)
    }
}
