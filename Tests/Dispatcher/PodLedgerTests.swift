import Core
import NIOCore
import Testing

@testable import Dispatcher

/// Design §6, "The ledger", sentence by sentence. Times are milliseconds.
@Suite struct PodLedgerTests {
    private static func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds)
    }

    private struct Pod {
        var ledger = PodLedger()
        private var count: Int32 = 0

        mutating func open(_ needs: ResourceVector = .needs(1), writtenAt: Int64?) -> Int32 {
            count += 1
            let lease = ledger.open(needs, ticket: Ticket(slot: count, generation: 0))
            if let writtenAt { ledger.written(lease, at: at(writtenAt)) }
            return lease
        }

        mutating func close(_ lease: Int32, _ end: PodLedger.End = .whole, _ time: Int64) {
            ledger.close(lease, end, now: at(time))
        }

        @discardableResult
        mutating func sample(
            _ cpus: Int64,
            total: Int64? = 8,
            idle: Int? = nil,
            workers: [ResourceVector]? = nil,
            busyWorkers: Int = 0,
            sent: Int64,
            back: Int64
        ) -> Bool {
            let report = CapacityReport(
                available: .needs(cpus, memory: 64),
                total: total.map { .needs($0, memory: 64) },
                idleWorkers: idle,
                workers: workers.map { idle in
                    idle.map { CapacityReport.Worker(available: $0, isIdle: true) }
                        + Array(repeating: CapacityReport.Worker(available: .zero, isIdle: false), count: busyWorkers)
                }
            )
            return ledger.sampled(report, sentAt: at(sent), receivedAt: at(back))
        }

        /// Free CPUs, in whole units.
        var cpus: Int64 { ledger.free.cpus / 1000 }
    }

    @Test func betweenSamplesLeasesAreTakenOffAndGivenBack() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        let first = pod.open(.needs(3), writtenAt: 10)
        let second = pod.open(.needs(2), writtenAt: nil)
        #expect(pod.cpus == 3)
        pod.close(first, .whole, 20)
        #expect(pod.cpus == 6)
        pod.close(second, .unsent, 21)
        #expect(pod.cpus == 8)
        #expect(!pod.ledger.mayHaveMore)
    }

    @Test func anOpenLeaseWrittenBeforeThePollIsInTheSampleAndLaterOnesAreNot() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        _ = pod.open(.needs(3), writtenAt: 10)
        _ = pod.open(.needs(2), writtenAt: 101)
        _ = pod.open(.needs(1), writtenAt: nil)
        pod.sample(5, sent: 100, back: 110)
        #expect(pod.cpus == 2)
    }

    @Test func oneWrittenLessThanTwentyMillisecondsBeforeCountsAsNotWritten() {
        var pod = Pod()
        pod.sample(8, total: 64, sent: 0, back: 1)
        let lease = pod.open(.needs(3), writtenAt: 81)
        pod.sample(8, total: 64, sent: 100, back: 101)
        #expect(pod.cpus == 5)
        // The sample may have had it: then more is free than is known.
        pod.close(lease, .whole, 200)
        #expect(pod.cpus == 8)
        #expect(pod.ledger.mayHaveMore)
    }

    @Test func oneThatEndedAfterTheSampleCameIsAddedAlsoWhereTheSampleIsEnteredLate() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        let before = pod.open(.needs(3), writtenAt: 10)
        let after = pod.open(.needs(2), writtenAt: 10)
        pod.close(before, .whole, 150)
        pod.sample(3, sent: 100, back: 110)
        #expect(pod.cpus == 6)
        pod.close(after, .whole, 160)
        #expect(pod.cpus == 8)
        #expect(!pod.ledger.mayHaveMore)
    }

    @Test func oneThatEndedWhileThePollWasUnderWayAddsNothingAndIsWorthAPoll() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        let lease = pod.open(.needs(3), writtenAt: 10)
        pod.close(lease, .whole, 105)
        pod.sample(5, sent: 100, back: 110)
        #expect(pod.cpus == 5)
        #expect(pod.ledger.mayHaveMore)
        pod.sample(8, sent: 160, back: 161)
        #expect(pod.cpus == 8)
        #expect(!pod.ledger.mayHaveMore)
    }

    @Test func anAnswerOnItsWayWhenASharedPodWasSampledIsNotCountedTwice() {
        var pod = Pod()
        pod.sample(6, sent: 0, back: 1)
        pod.sample(6, sent: 50, back: 51)
        let lease = pod.open(.needs(3), writtenAt: 60)
        // The pod is done with it already, and says so: its answer's end comes just after the sample.
        pod.sample(6, sent: 100, back: 101)
        pod.close(lease, .whole, 103)
        #expect(pod.cpus == 6)
        #expect(pod.ledger.mayHaveMore)
    }

    @Test func onAPodOfOursAloneItIsGivenBackAtOnce() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        pod.sample(8, sent: 50, back: 51)
        let lease = pod.open(.needs(3), writtenAt: 60)
        pod.sample(5, sent: 100, back: 101)
        pod.close(lease, .whole, 103)
        #expect(pod.cpus == 8)
    }

    @Test func neverMoreThanTheTotalsLessWhatIsLeased() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        _ = pod.open(.needs(3), writtenAt: 10)
        // A pod that does not count its requests.
        pod.sample(8, sent: 100, back: 101)
        #expect(pod.cpus == 5)
    }

    @Test func withoutTotalsTheMostThatWasSeenIsTheCap() {
        var pod = Pod()
        pod.sample(4, total: nil, sent: 0, back: 1)
        #expect(pod.ledger.total == .needs(4, memory: 64))
        let lease = pod.open(.needs(3), writtenAt: 10)
        pod.sample(5, total: nil, sent: 100, back: 101)
        pod.sample(5, total: nil, sent: 200, back: 201)
        // Five were free while one of three ran: eight in all.
        #expect(pod.ledger.total == .needs(8, memory: 65))
        pod.close(lease, .whole, 300)
        #expect(pod.cpus == 8)
    }

    @Test func aLeaseThatWasLostComesBackOnlyWithAPollSentAfterwards() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        let lease = pod.open(.needs(3), writtenAt: 10)
        pod.close(lease, .lost, 200)
        #expect(pod.cpus == 5)
        #expect(pod.ledger.mayHaveMore)
        pod.sample(8, sent: 199, back: 210)
        #expect(pod.cpus == 5)
        #expect(pod.ledger.mayHaveMore)
        // The pod is still computing, and says so.
        pod.sample(5, sent: 250, back: 251)
        #expect(pod.cpus == 5)
        #expect(pod.ledger.held == .zero)
        pod.sample(8, sent: 300, back: 301)
        #expect(pod.cpus == 8)
    }

    @Test func aSampleThatWasOvertakenIsLeftAside() {
        var pod = Pod()
        let (newer, older) = (pod.sample(3, sent: 100, back: 101), pod.sample(8, sent: 50, back: 120))
        #expect(newer && !older)
        #expect(pod.cpus == 3)
    }

    @Test func eachLeaseTakesAnIdleWorkerAndAtNoneNothingFits() {
        var pod = Pod()
        pod.sample(8, idle: 2, sent: 0, back: 1)
        let first = pod.open(.zero, writtenAt: 10)
        _ = pod.open(.zero, writtenAt: 10)
        #expect(pod.ledger.idle == 0)
        #expect(!pod.ledger.fits(.zero))
        pod.close(first, .whole, 20)
        #expect(pod.ledger.fits(.zero))
    }

    @Test func aLeaseTakesTheSmallestWholeWorkerThatFits() {
        var pod = Pod()
        let small = ResourceVector.needs(2, memory: 4)
        let large = ResourceVector.needs(4, gpus: 1, memory: 8)
        pod.sample(0, workers: [large, small], sent: 0, back: 1)
        #expect(pod.ledger.fits(.needs(4, gpus: 1)))
        #expect(!pod.ledger.fits(.needs(5)))
        _ = pod.open(.needs(1), writtenAt: 10)
        #expect(pod.ledger.fits(.needs(4, gpus: 1)))
        _ = pod.open(.needs(1), writtenAt: 10)
        #expect(!pod.ledger.fits(.needs(1)))
    }

    @Test func ofUnlikeWorkersTheOneThatGetsFreeIsKnownToBeAsLargeAsItsRequest() {
        var pod = Pod()
        let large = ResourceVector.needs(4, gpus: 1, memory: 8)
        pod.sample(0, workers: [large, .needs(2, memory: 4)], sent: 0, back: 1)
        let lease = pod.open(.needs(1), writtenAt: 10)
        _ = pod.open(.needs(1), writtenAt: 10)
        pod.close(lease, .whole, 50)
        #expect(pod.ledger.fits(.needs(1)))
        #expect(!pod.ledger.fits(.needs(2, memory: 4)))
        #expect(pod.ledger.mayHaveMore)
    }

    /// The worker that got free is known to have 3 CPUs and no memory, but it may be larger: what the sample did not have in it yet
    /// and fits on nothing else may be there.
    @Test func whatFitsOnNoKnownWorkerIsOnOneThatMayBeLargerThanIsKnown() {
        var pod = Pod()
        let small = ResourceVector.needs(2, memory: 4)
        pod.sample(0, workers: [.needs(4, memory: 8), small, small], sent: 0, back: 1)
        let first = pod.open(.needs(3), writtenAt: 10)
        _ = pod.open(.needs(1, memory: 1), writtenAt: 102)
        _ = pod.open(.needs(1, memory: 1), writtenAt: 103)
        pod.close(first, .whole, 110)
        pod.sample(0, workers: [small], busyWorkers: 2, sent: 100, back: 101)
        #expect(!pod.ledger.fits(.needs(3)))
        #expect(!pod.ledger.fits(.zero))
        #expect(pod.ledger.mayHaveMore)
    }

    @Test func whatIsReservedIsLeftInEveryDimensionThatARequestTakesAnythingOf() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        // A GPU is lacking: whoever takes none does not put it off, as long as its CPUs are left.
        let reserved = ResourceVector.needs(6, gpus: 1)
        #expect(pod.ledger.fits(.needs(2), besides: reserved))
        #expect(!pod.ledger.fits(.needs(3), besides: reserved))
        #expect(pod.ledger.fits(.needs(0, memory: 63), besides: reserved))
    }

    @Test func utilizationIsTheHighestShareOfWhatIsUsed() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        #expect(pod.ledger.utilization == 0)
        _ = pod.open(.needs(2, memory: 48), writtenAt: nil)
        #expect(pod.ledger.utilization == 750_000)
    }

    @Test func moreEndsThanAreRememberedOnlyMakeItCareful() {
        var pod = Pod()
        pod.sample(8, sent: 0, back: 1)
        for round in 0..<Int64(PodLedger.endedBound + 100) {
            let lease = pod.open(writtenAt: 100 + round)
            pod.close(lease, .whole, 100 + round)
        }
        pod.sample(7, sent: 99, back: 3_000)
        #expect(pod.cpus == 7)
        #expect(pod.ledger.mayHaveMore)
    }
}
