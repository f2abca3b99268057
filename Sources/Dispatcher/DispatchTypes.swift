package import Core
package import NIOCore

/// Names a live request in a ``DispatchMachine``. Trivially copied; one that is used after its request is gone is recognised.
package struct Ticket: Hashable, Sendable {
    /// Dense and reused: an index for what the caller keeps beside it.
    package let slot: Int32
    let generation: UInt32

    init(slot: Int32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }
}

/// What became of a request that came.
package enum Arrival: Sendable {
    /// Leased to a pod at once: the insert carries the dispatch.
    case placed(Ticket, Pod)
    /// It waits; ``DispatchAction/dispatch(_:_:)`` or ``DispatchAction/refuse(_:_:afterBusy:)`` follows, maybe before its commit.
    case waiting(Ticket)
    /// `queue_full` or `draining`: it never had a ticket.
    case refused(Refusal)
}

/// What the caller of a ``DispatchMachine`` has to do, in order.
package enum DispatchAction: Sendable {
    /// The request no longer waits: it is leased to this pod. Commit the attempt, then send it.
    case dispatch(Ticket, Pod)
    /// The request is over; its ticket is void. `afterBusy`: a pod refused it as busy, and no attempt has died under it
    /// since, so that pod's answer is what its client should get.
    case refuse(Ticket, Refusal, afterBusy: Bool)
    /// Poll this pod's capacity now.
    case poll(Pod)
    /// Poll this pod at least that often; nil for the configured interval.
    case setInterval(Pod, TimeAmount?)
    /// For the log: nothing is sent to this pod until then, since it failed one request after another; it answers well again.
    case breakerOpened(Pod, until: NIODeadline)
    case breakerClosed(Pod)
}

/// How an attempt ended, as the machine needs to know it.
package enum AttemptEnd: Sendable, Equatable {
    /// The whole answer was received, of any status but a busy one.
    case answered(status: Int)
    /// The pod answered a busy status, and nothing was passed on: the request goes back to its place in line.
    case busy
    /// No connection came about, no byte was sent: likewise, and the breaker hears of it.
    case connectFailed
    /// Likewise, for want of something of our own: nothing is said about the pod, to which nothing is sent before its next sample, so that
    /// it is not tried over and over.
    case outOfResources
    /// The pod may have begun; nothing was passed on to the client. `mayRepeat`: its method and its route's rule allow another attempt.
    case died(UpstreamFault, mayRepeat: Bool)
    /// We broke it off, since its client left. Nothing is said about the pod.
    case aborted
    /// It broke after bytes had been passed on: the request is over.
    case broken(UpstreamFault)
}

/// How a pod failed an attempt that it may have begun.
package enum UpstreamFault: Sendable, Equatable {
    /// No first byte in time, or a stalled answer: 504.
    case timeout
    /// The connection ended, or what came was not HTTP: 502.
    case reset
}
