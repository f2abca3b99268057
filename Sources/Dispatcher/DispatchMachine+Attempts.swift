package import Core
package import NIOCore
import Queue

/// Leases and how they end.
extension DispatchMachine {
    /// The last byte of the request was handed to the kernel. Needed before its pod's next sample is told of at the latest, for
    /// every open lease (``openLeases(of:)``) whose request is written.
    package mutating func written(_ ticket: Ticket, at time: NIODeadline) {
        guard let slot = requests.slot(ticket), requests[slot].phase == .leased else { return }
        let entry = requests[slot]
        pods[Int(entry.pod)].ledger.written(entry.lease, at: time)
    }

    /// Whether its attempt is to show that a pod is well again: its answer's beginning is to be told (``answerBegan(_:now:)``).
    package func isTrial(_ ticket: Ticket) -> Bool {
        requests.slot(ticket).map { requests[$0].isTrial } ?? false
    }

    /// The answer of a trial began, with a status that is no failure: others need not wait for its end.
    package mutating func answerBegan(_ ticket: Ticket, now: NIODeadline) {
        guard let slot = requests.slot(ticket), requests[slot].phase == .leased, requests[slot].isTrial else { return }
        let pod = Int(requests[slot].pod)
        requests[slot].isTrial = false
        let wasClosed = pods[pod].breaker.isClosed
        pods[pod].breaker.succeeded(startedAt: requests[slot].startedAt)
        if !wasClosed, pods[pod].breaker.isClosed { act(.breakerClosed(pods[pod].pod)) }
        refresh(pod, now: now)
        markDirty(pod)
        settle(now)
    }

    /// The tickets of all open leases of a pod.
    package func openLeases(of pod: Pod) -> [Ticket] {
        pods.slot(pod.key).map { pods[$0].ledger.tickets } ?? []
    }

    /// An attempt ended. Where the request does not go back to its line, its ticket is void afterwards.
    /// - Parameter writtenAt: When its last byte was written, where ``written(_:at:)`` was not called; nil where it never was.
    package mutating func attemptEnded(
        _ ticket: Ticket,
        _ end: AttemptEnd,
        writtenAt: NIODeadline?,
        now: NIODeadline
    ) {
        guard let slot = requests.slot(ticket), requests[slot].phase == .leased else { return }
        let pod = Int(requests[slot].pod)
        let podKey = pods[pod].pod.key
        judge(pod, requests[slot], end, now: now)
        switch end {
        case .answered:
            release(slot, .whole, writtenAt: writtenAt, now: now)
            forget(slot)
        case .busy:
            release(slot, .whole, writtenAt: writtenAt, now: now)
            requests[slot].wasBusy = true
            requests[slot].wasUnreached = false
            putBack(slot, now: now)
        case .connectFailed, .outOfResources:
            release(slot, .unsent, writtenAt: nil, now: now)
            requests[slot].wasUnreached = true
            putBack(slot, now: now)
        case .died(let fault, let mayRepeat):
            release(slot, .lost, writtenAt: writtenAt, now: now)
            repeatOrRefuse(slot, fault, mayRepeat: mayRepeat, podKey: podKey, now: now)
        case .aborted, .broken:
            release(slot, .lost, writtenAt: writtenAt, now: now)
            forget(slot)
        }
        settle(now)
    }

    /// Leases a request that waits nowhere to a pod that has room.
    mutating func lease(_ slot: Int, to pod: Int, now: NIODeadline) {
        let ticket = requests.ticket(slot)
        let routeKey = Int(requests[slot].routeKey)
        requests[slot].phase = .leased
        requests[slot].pod = Int32(pod)
        requests[slot].startedAt = now
        requests[slot].lease = pods[pod].ledger.open(requests[slot].needs, ticket: ticket)
        requests[slot].isTrial = pods[pod].breaker.began(now: now)
        if let next = pods[pod].breaker.nextTrial { podsWake = min(podsWake, next) }
        pods[pod].counts.dispatched += 1
        leasedCount += 1
        routes[routeKey].leased += 1
        routes[routeKey].rate.count(now: now)
        turn = pod + 1
        refresh(pod, now: now)
        if routes[routeKey].isFull { unreserveRoute(routeKey, now: now) }
    }

    /// Ends a request's lease; the request itself is then nowhere.
    mutating func release(_ slot: Int, _ end: PodLedger.End, writtenAt: NIODeadline?, now: NIODeadline) {
        let entry = requests[slot]
        let pod = Int(entry.pod)
        if let writtenAt { pods[pod].ledger.written(entry.lease, at: writtenAt) }
        pods[pod].ledger.close(entry.lease, end, now: now)
        requests[slot].pod = -1
        requests[slot].isTrial = false
        leasedCount -= 1
        let routeKey = Int(entry.routeKey)
        let wasFull = routes[routeKey].isFull
        routes[routeKey].leased -= 1
        refresh(pod, now: now)
        markDirty(pod)
        if wasFull, !routes[routeKey].isFull { offerPods(toRoute: routeKey, now: now) }
        if pods[pod].isGone, pods[pod].ledger.openCount == 0 { pods.remove(pod) }
    }

    /// Tells the pod's breaker, and its counts, how an attempt ended.
    private mutating func judge(_ pod: Int, _ entry: RequestEntry, _ end: AttemptEnd, now: NIODeadline) {
        let before = pods[pod].breaker.reopensAt
        let wasClosed = pods[pod].breaker.isClosed
        defer {
            if let reopensAt = pods[pod].breaker.reopensAt, reopensAt != before {
                act(.breakerOpened(pods[pod].pod, until: reopensAt))
            } else if !wasClosed, pods[pod].breaker.isClosed {
                act(.breakerClosed(pods[pod].pod))
            }
        }
        switch end {
        case .answered(let status) where status < 500:
            pods[pod].counts.answered += 1
            pods[pod].breaker.succeeded(startedAt: entry.startedAt)
        case .answered:
            pods[pod].counts.answered += 1
            pods[pod].counts.serverErrors += 1
            pods[pod].breaker.failed(.answer, isTrial: entry.isTrial, now: now)
        case .busy:
            pods[pod].counts.busy += 1
            if entry.isTrial { pods[pod].breaker.trialEnded() }
            pods[pod].resting.refused(entry.needs, routeKey: entry.routeKey, now: now)
            askPoll(pod, now: now)
        case .connectFailed:
            pods[pod].counts.connectFailed += 1
            pods[pod].breaker.failed(.transport, isTrial: entry.isTrial, now: now)
            pods[pod].resting.unreachable(now: now)
            askPoll(pod, now: now)
        case .outOfResources:
            if entry.isTrial { pods[pod].breaker.trialEnded() }
            pods[pod].resting.unreachable(now: now)
        case .died(.timeout, _), .broken(.timeout):
            pods[pod].counts.timeouts += 1
            pods[pod].breaker.failed(.answer, isTrial: entry.isTrial, now: now)
        case .died(.reset, _), .broken(.reset):
            pods[pod].counts.resets += 1
            pods[pod].breaker.failed(.answer, isTrial: entry.isTrial, now: now)
        case .aborted:
            pods[pod].counts.aborted += 1
            if entry.isTrial { pods[pod].breaker.trialEnded() }
        }
        if let next = pods[pod].breaker.nextTrial { podsWake = min(podsWake, next) }
    }

    /// Puts a request whose lease was released back in its line, at its old place.
    private mutating func putBack(_ slot: Int, now: NIODeadline) {
        guard !refusesWaiting else {
            let entry = requests[slot]
            let refusal = refusal(
                .draining,
                "the gateway is shutting down",
                routeKey: Int(entry.routeKey),
                since: entry.arrivedAt,
                now: now
            )
            act(.refuse(requests.ticket(slot), refusal, afterBusy: entry.wasBusy))
            return forget(slot)
        }
        requests[slot].wasReturned = true
        wait(slot, now: now)
        let line = Int(requests[slot].line)
        if lines[line].head == Int32(slot) { offerPods(toLine: line, now: now) }
    }

    private mutating func repeatOrRefuse(
        _ slot: Int,
        _ fault: UpstreamFault,
        mayRepeat: Bool,
        podKey: Int,
        now: NIODeadline
    ) {
        let entry = requests[slot]
        let attempts = Int(entry.deaths) + 1
        let isRetry = entry.deaths > 0
        let isAllowed =
            isRetry || configuration.retryBudget.allows(retrying: retrying, active: requests.count)
            || isAnotherWell(for: entry.needs, besides: podKey)
        if mayRepeat, attempts < configuration.maxAttempts, isAllowed {
            if !isRetry { retrying += 1 }
            requests[slot].deaths += 1
            requests[slot].wasBusy = false
            requests[slot].wasUnreached = false
            requests[slot].kept.add(podKey)
            requests[slot].awayFor = entry.awayFor + (now - entry.startedAt)
            return putBack(slot, now: now)
        }
        let what = fault == .timeout ? "the pod did not answer in time" : "the pod broke the connection off"
        let why =
            if !mayRepeat {
                "it may have begun, and the request is not one to repeat"
            } else if attempts >= configuration.maxAttempts {
                "attempt \(attempts) of \(configuration.maxAttempts)"
            } else {
                "too many requests are being repeated already"
            }
        let refusal = refusal(
            fault == .timeout ? .upstreamTimeout : .upstreamReset,
            "\(what); \(why)",
            routeKey: Int(entry.routeKey),
            since: entry.arrivedAt,
            now: now
        )
        act(.refuse(requests.ticket(slot), refusal, afterBusy: false))
        forget(slot)
    }
}
