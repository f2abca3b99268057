package import Core
package import NIOCore
package import Queue

/// Decides which waiting request goes to which pod, when: the dispatcher without its clock, its threads and its network.
///
/// A value: every event takes the time, changes the state and leaves ``DispatchAction``s, which the caller takes with ``nextAction()`` in
/// order, until there are none, after every event. Events that the caller raises while it carries out an action are fine.
package struct DispatchMachine {
    let configuration: DispatchConfiguration
    var actions: [DispatchAction] = []
    var taken = 0

    package init(configuration: DispatchConfiguration, routes: [Route]) {
        self.configuration = configuration
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

    // MARK: Requests

    /// A request came, whole.
    /// - Parameters:
    ///   - holdLimit: Shortens its route's hold timeout (`Prefer: wait`).

    package mutating func arrive(
        route: Route,
        needs: ResourceVector,
        priority: RequestPriority,
        holdLimit: TimeAmount?,
        now: NIODeadline
    ) -> Arrival {
        .waiting(Ticket(slot: 0, generation: 0))
    }

    /// The request leaves while it waits, or while it is leased but no byte of it was sent: its client left, or an operator
    /// cancelled it. Its lease, if any, comes back at once. No action follows for it.
    /// - Returns: Whether it was there.
    @discardableResult
    package mutating func cancel(_ ticket: Ticket, now: NIODeadline) -> Bool { false }

    /// The commit of its row, or of its attempt, failed: as ``cancel(_:now:)``.
    @discardableResult
    package mutating func storageFailed(_ ticket: Ticket, now: NIODeadline) -> Bool { false }

    /// The last byte of the request was handed to the kernel. Needed before its pod's next sample is told of at the latest, for
    /// every open lease (``openLeases(of:)``) whose request is written.
    package mutating func written(_ ticket: Ticket, at time: NIODeadline) {}

    /// An attempt ended. Where the request does not go back to its line, its ticket is void afterwards.
    /// - Parameter writtenAt: When its last byte was written, where ``written(_:at:)`` was not called; nil where it never was.
    package mutating func attemptEnded(
        _ ticket: Ticket,
        _ end: AttemptEnd,
        writtenAt: NIODeadline?,
        now: NIODeadline
    ) {}

    /// Whether the request is live, and whether it waits (rather than is leased).
    package func isWaiting(_ ticket: Ticket) -> Bool? { nil }

    // MARK: Pods

    /// These are all pods now.
    package mutating func podsChanged(_ pods: [Pod], now: NIODeadline) {}

    /// A poll was sent and came back.
    package mutating func sampled(
        _ pod: Pod,
        _ report: CapacityReport,
        sentAt: NIODeadline,
        receivedAt: NIODeadline,
        now: NIODeadline
    ) {}

    /// A poll failed.
    package mutating func pollFailed(_ pod: Pod, _ problem: String, sentAt: NIODeadline, now: NIODeadline) {}

    /// A pod told of its capacity on an answer (`Neutrino-Capacity`). Never entered in the ledger; polled where it disagrees.
    package mutating func capacityHint(_ pod: Pod, _ available: ResourceVector, now: NIODeadline) {}

    /// The tickets of all open leases of a pod.
    package func openLeases(of pod: Pod) -> [Ticket] { [] }

    // MARK: Operators

    /// The routes as they are now configured; also for those waiting.
    package mutating func routesChanged(_ routes: [Route], now: NIODeadline) {}

    /// An operator's hold timeout, also for those waiting; nil gives the configured one back.
    package mutating func setHoldTimeout(routeKey: Int, _ timeout: Duration?, now: NIODeadline) {}

    /// How many requests of a route may be with pods at once; nil for no bound.
    package mutating func setMaxConcurrency(routeKey: Int, _ bound: Int?, now: NIODeadline) {}

    /// Nothing new is sent to this pod.
    /// - Returns: Whether there is such a pod.
    @discardableResult
    package mutating func drainPod(key: Int, now: NIODeadline) -> Bool { false }

    @discardableResult
    package mutating func undrainPod(key: Int, now: NIODeadline) -> Bool { false }

    /// Closes its breaker.
    @discardableResult
    package mutating func resetBreaker(podKey: Int, now: NIODeadline) -> Bool { false }

    /// Dispatching stops; holding and its timeouts go on.
    package mutating func pause(now: NIODeadline) {}
    package mutating func resume(now: NIODeadline) {}

    /// The gateway drains: what comes from now on is refused with `draining`; what waits goes on waiting.
    package mutating func beginDrain(now: NIODeadline) {}

    /// Refuses all that wait with `draining`, and from now on whatever would go back to its line.
    package mutating func refuseAllWaiting(now: NIODeadline) {}

    // MARK: Time

    /// Does what is due. Call it at ``nextWake`` or soon after.
    package mutating func wake(now: NIODeadline) {}

    /// When ``wake(now:)`` has something to do; nil for never. Look at it after every event.
    package var nextWake: NIODeadline? { nil }

    // MARK: Looking

    package var waitingCount: Int { 0 }
    package var leasedCount: Int { 0 }
    package func queueSnapshot(now: NIODeadline) -> QueueSnapshot { QueueSnapshot() }
    package func podSnapshots(now: NIODeadline) -> [PodSnapshot] { [] }
    /// The operator's hold timeout of a route, where there is one.
    package func holdTimeoutOverride(routeKey: Int) -> Duration? { nil }
}
