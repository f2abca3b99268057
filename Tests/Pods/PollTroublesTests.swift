import Testing

@testable import Pods

@Suite("Trouble with polls is told once, and once when it is over")
struct PollTroublesTests {
    @Test("a pod that never answered is told of at once, one that did when it is taken for unhealthy")
    func once() {
        var troubles = PollTroubles()
        let first = (0..<3).map { _ in troubles.failed(1) }
        #expect(first == [true, false, false])
        let over = [troubles.succeeded(1), troubles.succeeded(1)]
        #expect(over == [true, false])
        let later = (0..<4).map { _ in troubles.failed(1) }
        #expect(later == [false, false, true, false])
        let end = troubles.succeeded(1)
        #expect(end)
    }

    @Test("a failure now and then is no news, and a pod that is gone is forgotten")
    func noNews() {
        var troubles = PollTroubles()
        var told = [troubles.succeeded(1)]
        for _ in 0..<5 { told += [troubles.failed(1), troubles.succeeded(1)] }
        #expect(!told.contains(true))
        troubles.keep(only: [])
        let again = troubles.failed(1)
        #expect(again)
    }
}
