import Core
import NIOCore
import Queue
import Testing

@testable import Dispatcher

/// Design §4, "What may be tried again", and §6, "Health".
@Suite struct AttemptTests {
    @Test func aBusyPodIsPolledAtOnceAndGetsNothingBeforeItsNextSample() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(4, memory: 8))
        let (ticket, _) = try fixture.place()
        fixture.end(ticket, .busy)
        #expect(fixture.polls() == [pod.key])
        #expect(fixture.machine.isWaiting(ticket) == true)
        let other = try fixture.wait()
        fixture.pass(.milliseconds(60))
        fixture.sample(pod, .needs(1, memory: 8), total: .needs(4, memory: 8))
        // Its old place: before the one that came later.
        #expect(fixture.dispatches() == [ticket: pod.key])
        #expect(fixture.machine.isWaiting(other) == true)
    }

    @Test func aSampleSentBeforeTheBusyAnswerDoesNotEndItsRest() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(4, memory: 8))
        let (ticket, _) = try fixture.place()
        let sentAt = fixture.now
        fixture.pass(.milliseconds(5))
        fixture.end(ticket, .busy)
        let report = CapacityReport(available: .needs(4, memory: 8))
        fixture.machine.sampled(pod, report, sentAt: sentAt, receivedAt: fixture.now, now: fixture.now)
        #expect(fixture.dispatches().isEmpty)
    }

    @Test func atItsHoldTimeoutTheLastBusyAnswerIsPassedOn() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (ticket, _) = try fixture.place()
        fixture.end(ticket, .busy)
        fixture.pass(.seconds(30))
        let refusal = try #require(fixture.refusals().first)
        #expect(refusal.ticket == ticket && refusal.afterBusy)
    }

    @Test func aRouteThatIsRefusedAgainstTheSamplesNoLongerRestsThePodForOthers() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0), MachineFixture.route(1)])
        let pod = fixture.pod(.needs(4, memory: 8))
        let (ticket, _) = try fixture.place()
        for _ in 0..<2 {
            fixture.end(ticket, .busy)
            fixture.pass(.milliseconds(60))
            fixture.sample(pod, .needs(4, memory: 8))
            #expect(fixture.dispatches() == [ticket: pod.key])
        }
        fixture.end(ticket, .busy)
        #expect(fixture.machine.isWaiting(ticket) == true)
        _ = try fixture.place(route: 1)
        fixture.pass(.milliseconds(60))
        fixture.sample(pod, .needs(3, memory: 7), total: .needs(4, memory: 8))
        #expect(fixture.machine.isWaiting(ticket) == true)
        fixture.pass(.milliseconds(200))
        fixture.sample(pod, .needs(3, memory: 7), total: .needs(4, memory: 8))
        #expect(fixture.dispatches() == [ticket: pod.key])
    }

    @Test func whatNeverReachedAPodGoesToAnotherAtOnce() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        fixture.pod(.needs(1))
        let (ticket, pod) = try fixture.place()
        fixture.end(ticket, .connectFailed)
        #expect(fixture.dispatches() == [ticket: 1 - pod.key])
    }

    @Test func whatFailsForWantOfSomethingOfOursSaysNothingAboutThePodAndWaitsForItsNextSample() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(1))
        let (ticket, _) = try fixture.place()
        for _ in 0..<20 {
            fixture.end(ticket, .outOfResources)
            #expect(fixture.dispatches().isEmpty && fixture.machine.isWaiting(ticket) == true)
            fixture.pass(.milliseconds(60))
            fixture.sample(pod, .needs(1))
            #expect(fixture.dispatches() == [ticket: pod.key])
        }
    }

    @Test func aPodThatCannotBeReachedIsTheReasonWhereTheHoldEndsBeforeItsNextSample() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .milliseconds(30))])
        fixture.pod(.needs(1))
        let (ticket, _) = try fixture.place()
        fixture.end(ticket, .connectFailed)
        fixture.pass(.milliseconds(31))
        let refusal = try #require(fixture.refusals().first?.refusal)
        #expect(refusal.reason == .connectFailed)
        #expect(refusal.retryAfter != nil)
    }

    @Test func whoComesAfterAConnectionThatFailedIsNotToldOfIt() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .milliseconds(30))])
        let pod = fixture.pod(.needs(1))
        let (ticket, _) = try fixture.place()
        fixture.end(ticket, .connectFailed)
        fixture.pass(.milliseconds(10))
        // Another client of the pod has taken it.
        fixture.sample(pod, .needs(0), total: .needs(1))
        fixture.pass(.milliseconds(31))
        #expect(fixture.refusals().first?.refusal.reason == .noCapacity)
    }

    @Test func anAttemptThatDiedIsRepeatedElsewhereUntilItsAttemptsAreUsedUp() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        fixture.pod(.needs(1))
        fixture.pod(.needs(1))
        let (ticket, first) = try fixture.place()
        fixture.end(ticket, .died(.reset, mayRepeat: true))
        let second = try #require(fixture.dispatches()[ticket])
        fixture.end(ticket, .died(.timeout, mayRepeat: true))
        let third = try #require(fixture.dispatches()[ticket])
        #expect(Set([first.key, second, third]).count == 3)
        fixture.end(ticket, .died(.timeout, mayRepeat: true))
        let refusal = try #require(fixture.refusals().first?.refusal)
        #expect(refusal.reason == .upstreamTimeout)
        #expect(refusal.detail == "the pod did not answer in time; attempt 3 of 3")
        #expect(refusal.retryAfter == nil)
        #expect(fixture.machine.retrying == 0)
    }

    @Test(arguments: [(UpstreamFault.reset, EndReason.upstreamReset), (.timeout, .upstreamTimeout)])
    func whatMayNotBeRepeatedFails(fault: UpstreamFault, reason: EndReason) throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (ticket, _) = try fixture.place()
        fixture.end(ticket, .died(fault, mayRepeat: false))
        #expect(fixture.refusals().first?.refusal.reason == reason)
        #expect(fixture.machine.isWaiting(ticket) == nil)
    }

    @Test func itGoesBackToThePodWhereItDiedOnlyIfNoOtherCouldHoldIt() throws {
        var fixture = MachineFixture()
        let first = fixture.pod(.needs(1))
        let second = fixture.addPod()
        fixture.sample(second, .needs(0), total: .needs(1))
        let (ticket, _) = try fixture.place()
        fixture.pass(.milliseconds(30))
        fixture.end(ticket, .died(.reset, mayRepeat: true))
        fixture.pass(.milliseconds(30))
        fixture.sample(first, .needs(1))
        #expect(fixture.dispatches().isEmpty)
        fixture.remove(second)
        #expect(fixture.dispatches() == [ticket: first.key])
    }

    @Test func itGoesBackToThePodWhereItDiedWhileBreakersShutOutTheOthers() throws {
        var fixture = MachineFixture { $0.placement = .roundRobin }
        let pods = (0..<2).map { _ in fixture.pod(.needs(9, memory: 9)) }
        for _ in 0..<12 {
            let (ticket, pod) = try fixture.place()
            fixture.end(ticket, .answered(status: pod == pods[1] ? 500 : 200))
            fixture.pass(.milliseconds(30))
            for pod in pods { fixture.sample(pod, .needs(9, memory: 9)) }
        }
        #expect(fixture.machine.pods.softShutCount == 1)
        let (ticket, pod) = try fixture.place()
        #expect(pod == pods[0])
        fixture.drainActions()
        fixture.end(ticket, .died(.reset, mayRepeat: true))
        fixture.pass(.milliseconds(30))
        fixture.sample(pods[0], .needs(9, memory: 9))
        #expect(fixture.dispatches() == [ticket: pods[0].key])
    }

    @Test func theTimeAtAPodThatDiedIsNotHold() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(1))
        let (ticket, _) = try fixture.place()
        fixture.pass(.seconds(40))
        fixture.end(ticket, .died(.timeout, mayRepeat: true))
        fixture.pass(.seconds(29))
        #expect(fixture.refusals().isEmpty)
        fixture.pass(.seconds(1))
        #expect(fixture.refusals().count == 1)
    }

    @Test func atMostAFifthOfTheActiveRequestsAreRepetitions() throws {
        var fixture = MachineFixture()
        fixture.pod(.needs(100, memory: 100))
        var tickets: [Ticket] = []
        for _ in 0..<40 { tickets.append(try fixture.place().0) }
        for ticket in tickets { fixture.end(ticket, .died(.timeout, mayRepeat: true)) }
        let refused = fixture.refusals()
        // 8 of 40, and fewer as those refused are no longer active.
        #expect(fixture.machine.retrying <= 8 && fixture.machine.retrying >= 3)
        #expect(refused.count == 40 - fixture.machine.retrying)
        #expect(RetryBudget().allows(retrying: 2, active: 1))
        #expect(!RetryBudget().allows(retrying: 3, active: 1))
        #expect(RetryBudget().allows(retrying: 19, active: 100))
        #expect(!RetryBudget().allows(retrying: 20, active: 100))
    }

    @Test func whateverAPodHadWhenItDiedIsRepeatedWhileAnotherIsWell() throws {
        var fixture = MachineFixture { $0.placement = .roundRobin }
        let pods = (0..<2).map { _ in fixture.pod(.needs(100, memory: 100)) }
        var placed: [(ticket: Ticket, pod: Pod)] = []
        for _ in 0..<40 { placed.append(try fixture.place()) }
        let died = placed.filter { $0.pod == pods[0] }
        #expect(died.count == 20)
        for (ticket, _) in died { fixture.end(ticket, .died(.reset, mayRepeat: true)) }
        #expect(fixture.refusals().isEmpty)
        #expect(fixture.machine.retrying == 20)
        // Then that breaks too: nobody is well, and the budget counts.
        fixture.end(placed.first { $0.pod == pods[1] }!.ticket, .died(.reset, mayRepeat: true))
        #expect(fixture.refusals().count == 1)
    }

    @Test(arguments: [AttemptEnd.aborted, .broken(.reset)])
    func aLeaseThatWasBrokenOffComesBackOnlyWithAPoll(end: AttemptEnd) throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(1))
        let (ticket, _) = try fixture.place()
        let next = try fixture.wait()
        fixture.drainActions()
        fixture.pass(.milliseconds(30))
        fixture.end(ticket, end)
        // Someone waits: it is polled at once.
        #expect(fixture.polls() == [pod.key])
        #expect(fixture.machine.isWaiting(next) == true)
        fixture.pass(.milliseconds(30))
        fixture.sample(pod, .needs(1))
        #expect(fixture.dispatches() == [next: pod.key])
    }

    // MARK: Health

    @Test func threeFailedPollsMakeAPodUnhealthyAndASampleMakesItWell() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(4, memory: 8))
        for _ in 0..<2 { fixture.failPoll(pod) }
        _ = try fixture.place()
        fixture.failPoll(pod)
        let ticket = try fixture.wait()
        fixture.sample(pod, .needs(4, memory: 8))
        #expect(fixture.dispatches() == [ticket: pod.key])
    }

    @Test func aStaleSampleIsNotDecidedBy() throws {
        var fixture = MachineFixture { $0.capacityTimeout = .seconds(1) }
        fixture.pod(.needs(4, memory: 8))
        fixture.pass(.milliseconds(5_998))
        _ = try fixture.place()
        fixture.pass(.milliseconds(2))
        _ = try fixture.wait()
        #expect(DispatchConfiguration().staleAfter == .seconds(12))
    }

    @Test func connectionsThatFailShutAPodOutUntilOneRequestGoesThroughAgain() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .seconds(60))])
        let pod = fixture.pod(.needs(9, memory: 9))
        let (first, _) = try fixture.place()
        for _ in 0..<4 {
            fixture.end(first, .connectFailed)
            fixture.pass(.milliseconds(60))
            fixture.sample(pod, .needs(9, memory: 9))
            #expect(fixture.dispatches() == [first: pod.key])
        }
        fixture.end(first, .connectFailed)
        let second = try fixture.wait()
        fixture.pass(.milliseconds(9_900))
        fixture.sample(pod, .needs(9, memory: 9))
        #expect(fixture.dispatches().isEmpty)
        fixture.pass(.milliseconds(100))
        // The trial alone.
        #expect(fixture.dispatches() == [first: pod.key])
        fixture.end(first)
        #expect(fixture.dispatches() == [second: pod.key])
    }

    @Test func theTrialsAnswerNeedsOnlyToBeginForOthersToFollow() throws {
        var fixture = MachineFixture(routes: [MachineFixture.route(0, hold: .seconds(60))])
        let pod = fixture.pod(.needs(9, memory: 9))
        let (first, _) = try fixture.place()
        for _ in 0..<5 {
            fixture.end(first, .connectFailed)
            fixture.pass(.milliseconds(60))
            fixture.sample(pod, .needs(9, memory: 9))
        }
        let second = try fixture.wait()
        fixture.drainActions()
        fixture.pass(.seconds(10))
        fixture.sample(pod, .needs(9, memory: 9))
        #expect(fixture.dispatches() == [first: pod.key])
        #expect(fixture.machine.isTrial(first))
        fixture.machine.answerBegan(first, now: fixture.now)
        #expect(fixture.dispatches() == [second: pod.key])
        #expect(!fixture.machine.isTrial(first) && !fixture.machine.isTrial(second))
    }

    /// The fault may lie in the requests: a few that crash whoever runs them must not close the fleet to all others.
    @Test(
        arguments: [
            AttemptEnd.answered(status: 500), .died(.reset, mayRepeat: false), .died(.timeout, mayRepeat: false),
        ]
    )
    func whatARequestMayBeToBlameForNeverShutsOutMoreThanHalfOfThePods(end: AttemptEnd) throws {
        var fixture = MachineFixture { $0.placement = .roundRobin }
        let pods = (0..<3).map { _ in fixture.pod(.needs(9, memory: 9)) }
        for _ in 0..<30 {
            let (ticket, _) = try fixture.place()
            fixture.end(ticket, end)
            fixture.pass(.milliseconds(30))
            for pod in pods { fixture.sample(pod, .needs(9, memory: 9)) }
        }
        #expect(fixture.machine.pods.softShutCount == 3)
        var used: Set<Int> = []
        for _ in 0..<6 { used.insert(try fixture.place().1.key) }
        #expect(used == [1, 2])
    }

    @Test func theOnlyPodIsNeverShutOutForServerErrorsAndClientErrorsNeverCount() throws {
        var fixture = MachineFixture()
        let pod = fixture.pod(.needs(9, memory: 9))
        for _ in 0..<20 {
            let (ticket, _) = try fixture.place()
            fixture.end(ticket, .answered(status: 429))
        }
        #expect(fixture.machine.pods[0].breaker.isClosed)
        for _ in 0..<20 {
            let (ticket, chosen) = try fixture.place()
            #expect(chosen == pod)
            fixture.end(ticket, .answered(status: 500))
        }
    }
}
