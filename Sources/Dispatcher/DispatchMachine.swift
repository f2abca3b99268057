package import Core
package import NIOCore
package import Queue

/// Decides which waiting request goes to which pod, when: the dispatcher without its clock, its threads and its network.
///
/// A value: every event takes the time, changes the state and leaves ``DispatchAction``s, which the caller takes with ``nextAction()`` in
/// order, until there are none, after every event. Events that the caller raises while it carries out an action are fine.
///
/// Between two events this holds: no first of a line fits a pod that it may use. So what comes looks at the pods, and a pod that
/// gets free looks at the lines; those behind the first of a line are never looked at.
package struct DispatchMachine {
    /// What a route's holds and rates are kept under, by ``Core/Route/key``.
    struct RouteState {
        var route: Route
        /// An operator's.
        var holdOverride: Duration?
        var concurrencyOverride: Int?
        var isPaused = false
        var hold: TimeAmount
        /// How many may be with pods: the bound that is in force, 0 while it is paused.
        var mostLeased = Int.max
        var leased = 0
        var rate = DispatchRate()

        init(_ route: Route) {
            self.route = route
            hold = TimeAmount(clamping: route.holdTimeout.value)
            mostLeased = route.maxConcurrency.value ?? .max
        }

        /// As many are with pods as may be.
        var isFull: Bool { leased >= mostLeased }
        /// The bound that is in force; nil for none.
        var maxConcurrency: Int? { concurrencyOverride ?? route.maxConcurrency.value }
        var hasOperatorSetting: Bool { holdOverride != nil || concurrencyOverride != nil || isPaused }
    }

    /// Stands for no bound on a hold, with room for arithmetic.
    static let longestHold = TimeAmount.hours(24 * 365)

    let configuration: DispatchConfiguration
    var requests = RequestTable()
    var lines = WaitingLines()
    var deadlines = DeadlineHeap()
    var pods = PodTable()
    var routes: [RouteState] = []

    private var actions: [DispatchAction] = []
    private var taken = 0
    private var sequence: UInt64 = 0

    /// Leased now, to any pod.
    package internal(set) var leasedCount = 0
    /// Live requests that are repetitions of attempts that died.
    var retrying = 0
    package internal(set) var isPaused = false
    /// The gateway ends: nothing new is sent to pods, whatever operators say.
    private(set) var isStopped = false
    package internal(set) var isDraining = false
    /// Nothing may go back to its line.
    var refusesWaiting = false
    /// Where the search for a pod begins, so that equals are used turn by turn.
    var turn = 0
    /// Pods that may have room that nobody was offered.
    var dirty: [Int] = []
    /// Whether a pod went out of use, so that others may be used that were kept from some.
    var hasLostPod = false
    /// Pods that requests are held for, and since when there is none.
    var servingCount = 0
    var podless: NIODeadline? = .uptimeNanoseconds(0)
    /// Since when there is one again.
    var servingSince: NIODeadline = .uptimeNanoseconds(0)
    var pollPace: PollPace

    /// When time alone changes a pod; when a first of a line has waited long enough to have a pod reserved; when to look whether pods are
    /// still wanted urgently.
    var podsWake = NIODeadline.distantFuture
    var reserveWake = NIODeadline.distantFuture
    var paceWake = NIODeadline.distantFuture

    package init(configuration: DispatchConfiguration, routes: [Route]) {
        self.configuration = configuration
        pollPace = PollPace(perSecond: configuration.urgentPollsPerSecond)
        for route in routes { know(route) }
    }

    /// The next thing to do; nil when all is done.
    package mutating func nextAction() -> DispatchAction? {
        guard taken < actions.count else { return nil }
        let action = actions[taken]
        taken += 1
        if taken == actions.count {
            actions.removeAll(keepingCapacity: true)
            taken = 0
        }
        return action
    }

    mutating func act(_ action: DispatchAction) { actions.append(action) }

    /// Requests that wait.
    package var waitingCount: Int { lines.count }

    /// Whether nothing is sent to pods now.
    var isHalted: Bool { isPaused || isStopped }

    /// From now on nothing is sent to pods, whatever operators say; what they have goes on.
    package mutating func stop() { isStopped = true }

    // MARK: Requests

    /// A request came, whole.
    /// - Parameters:
    ///   - holdLimit: Shortens its route's hold timeout (`Prefer: wait`).
    ///   - isPatient: Nobody waits for it: at its hold timeout it is refused only where it exceeds every pod, else held on.
    package mutating func arrive(
        route: Route,
        needs: ResourceVector,
        priority: RequestPriority,
        holdLimit: TimeAmount?,
        isPatient: Bool = false,
        now: NIODeadline
    ) -> Arrival {
        know(route)
        guard !isDraining else {
            return .refused(refusal(.draining, "the gateway is shutting down", routeKey: route.key, now: now))
        }
        var entry = RequestEntry()
        entry.priority = priority
        entry.isPatient = isPatient
        entry.routeKey = Int32(route.key)
        entry.sequence = sequence
        entry.needs = needs
        entry.arrivedAt = now
        entry.holdLimit = min(max(holdLimit ?? Self.longestHold, .zero), Self.longestHold)

        // Those of its own line go first; if they do not fit, neither does it.
        let line = lines.line(routeKey: route.key, priority: priority, needs: needs)
        if line == nil, !isHalted, !routes[route.key].isFull,
            let pod = choosePod(needs: needs, routeKey: entry.routeKey, kept: entry.kept, line: -1)
        {
            sequence += 1
            let slot = requests.insert(entry)
            lease(slot, to: pod, now: now)
            // Its route may be full now, and what was reserved for it free.
            settle(now)
            return .placed(requests.ticket(slot), pods[pod].pod)
        }
        if let detail = overflow(routeKey: route.key, priority: priority) {
            return .refused(refusal(.queueFull, detail, routeKey: route.key, now: now))
        }
        sequence += 1
        let slot = requests.insert(entry)
        wait(slot, now: now)
        return .waiting(requests.ticket(slot))
    }

    /// The request leaves while it waits, or while it is leased but no byte of it was sent: its client left, or an operator
    /// cancelled it. Its lease, if any, comes back at once. No action follows for it.
    /// - Returns: Whether it was there.
    @discardableResult
    package mutating func cancel(_ ticket: Ticket, now: NIODeadline) -> Bool {
        guard let slot = requests.slot(ticket) else { return false }
        if requests[slot].phase == .waiting {
            takeFromLine(slot, now: now)
        } else {
            let entry = requests[slot]
            if entry.isTrial { pods[Int(entry.pod)].breaker.trialEnded() }
            release(slot, .unsent, writtenAt: nil, now: now)
        }
        forget(slot)
        settle(now)
        return true
    }

    /// Whether it waits (rather than is leased); nil where its ticket is void.
    package func isWaiting(_ ticket: Ticket) -> Bool? {
        requests.slot(ticket).map { requests[$0].phase == .waiting }
    }

    // MARK: Parts of the above

    /// Makes a place for a route's state. The newest table's route is put there by ``routesChanged(_:now:)``.
    mutating func know(_ route: Route) {
        while routes.count <= route.key { routes.append(RouteState(route)) }
    }

    /// When its hold ends: what it spent with pods that died under it does not count.
    ///
    /// While there is no pod a hold of its own may bound it instead. A shorter one ends holds that cannot come to anything; a longer one
    /// lasts until a pod has been started, and then the route's hold begins, or those that waited for the pod would be refused as it comes.
    func deadline(of entry: RequestEntry) -> NIODeadline {
        let hold = routes[Int(entry.routeKey)].hold
        let limit = entry.arrivedAt + entry.awayFor + entry.holdLimit
        var begin = entry.arrivedAt
        if let bound = configuration.holdTimeoutNoPods.map({ min($0, Self.longestHold) }) {
            if let podless {
                let end = max(entry.arrivedAt, podless) + bound
                return bound < hold ? min(end, entry.arrivedAt + entry.awayFor + hold, limit) : min(end, limit)
            }
            if bound > hold { begin = max(begin, servingSince) }
        }
        return min(begin + entry.awayFor + hold, limit)
    }

    /// Why one more of a route may not wait; nil where it may.
    ///
    /// A queue that others have filled stays open to a route that has less than a 64th of it waiting, up to an eighth above its bound: one
    /// route that overflows does not close the door to the rest. Replays take no live request's place, and none where half of all places is
    /// taken.
    private func overflow(routeKey: Int, priority: RequestPriority) -> String? {
        let limit = configuration.maxQueueDepth
        guard priority == .live else {
            return lines.count < max(limit / 2, 1) ? nil : "\(lines.count) requests are waiting already"
        }
        let bound = routes[routeKey].route.maxQueueDepth.value
        let live = lines.count - lines.replayCount
        guard bound != nil || live >= limit else { return nil }
        let waiting = lines.count(ofRoute: routeKey, priority: .live)
        if let bound, waiting >= bound {
            return "\(waiting) requests of this route are waiting already; its max_queue_depth is \(bound)"
        }
        if live < limit { return nil }
        let isSmall = waiting < limit / 64 && live < limit + limit / 8
        return isSmall ? nil : "\(live) requests are waiting already"
    }

    /// Puts a request in its line.
    mutating func wait(_ slot: Int, now: NIODeadline) {
        let (line, isHead) = lines.join(slot, &requests)
        deadlines.set(slot, to: deadline(of: requests[slot]))
        guard isHead else { return }
        headChanged(line, now: now)
        if lines[line].count == 1, !routes[lines[line].routeKey].isPaused { wantPods(for: lines[line].needs, now: now) }
    }

    /// Takes a waiting request out of its line, and gives back what was reserved for it.
    mutating func takeFromLine(_ slot: Int, now: NIODeadline) {
        deadlines.remove(slot)
        let (line, wasHead) = lines.leave(slot, &requests)
        guard wasHead else { return }
        unreserve(line, now: now)
        if lines[line].count > 0 { headChanged(line, now: now) }
    }

    /// Voids a ticket.
    mutating func forget(_ slot: Int) {
        if requests[slot].deaths > 0 { retrying -= 1 }
        requests.remove(slot)
    }

    mutating func refusal(
        _ reason: EndReason,
        _ detail: String,
        routeKey: Int,
        since arrivedAt: NIODeadline? = nil,
        now: NIODeadline
    ) -> Refusal {
        var refusal = Refusal(reason: reason, detail: detail, hold: arrivedAt.map { now - $0 })
        switch reason {
        case .noCapacity, .noPods, .exceedsEveryPod, .connectFailed, .queueFull, .draining:
            let waiting = lines.count(ofRoute: routeKey)
            refusal.retryAfter = routes[routeKey].rate.retryAfter(waiting: waiting, now: now)
        default:
            break
        }
        return refusal
    }
}

extension TimeAmount {
    /// A configured duration, within what arithmetic with deadlines can bear.
    init(clamping duration: Duration) {
        let longest = DispatchMachine.longestHold
        self = duration >= .seconds(longest.nanoseconds / 1_000_000_000) ? longest : max(TimeAmount(duration), .zero)
    }
}
