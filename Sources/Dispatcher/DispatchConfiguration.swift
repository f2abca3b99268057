package import NIOCore

/// What the dispatcher decides by. Every value has a working default; `Gateway` reads them from the configuration.
package struct DispatchConfiguration: Sendable {
    /// Which of the pods that fit gets a request.
    package var placement = Placement.leastUtilized
    /// How long the first of a line waits before a pod is reserved for it.
    package var reserveAfter = TimeAmount.seconds(5)
    /// Clients' requests that may wait at once; one more is refused with `queue_full`. Replays wait beside them, as long as not half as many wait
    /// in all.
    package var maxQueueDepth = 10_000
    /// Attempts that may have begun at a pod, for one request, the first included.
    package var maxAttempts = 3
    /// How many of the active requests may be repetitions.
    package var retryBudget = RetryBudget()
    /// How often each pod is polled while nothing presses.
    package var capacityInterval = TimeAmount.seconds(2)
    /// How long a poll may take.
    package var capacityTimeout = TimeAmount.seconds(5)
    /// Bounds the hold while there is no pod at all, shorter or longer than the route's own hold timeout; nil for that.
    package var holdTimeoutNoPods: TimeAmount?
    /// When a pod that fails requests is left alone.
    package var breaker = BreakerConfiguration()
    /// Failed polls in a row after which a pod is unhealthy.
    package var unhealthyAfterPolls = 3
    /// A request whose last byte was written less than this before a poll was sent may not have been seen by the pod yet.
    package var settlingTime = TimeAmount.milliseconds(20)
    /// The shortest interval at which pods are polled while requests wait that they could hold.
    package var urgentInterval = TimeAmount.milliseconds(250)
    /// Polls a second, over all pods, that waiting requests may cause: with many pods the urgent interval grows.
    package var urgentPollsPerSecond = 1000

    package init() {}

    /// How old a sample may be for its pod to be routable: three intervals, and never so short that two polls that time out in a
    /// row would make it stale.
    package var staleAfter: TimeAmount {
        max(capacityInterval * 3, capacityInterval + capacityTimeout * 2)
    }
}

/// How a pod is chosen among those that fit. A request without GPUs always goes to pods without any first.
package enum Placement: String, CaseIterable, Sendable {
    /// The pod whose most used resource is used least; turn by turn between equals.
    case leastUtilized = "least_utilized"
    /// The pod that has least left afterwards, so that large requests find room.
    case bestFit = "best_fit"
    /// Turn by turn.
    case roundRobin = "round_robin"
}

/// The numbers of a ``Breaker``.
package struct BreakerConfiguration: Sendable {
    /// Failures in a row at which it opens.
    package var failures = 5
    /// How long it stays open the first time; doubled each time that its trial fails.
    package var openFor = TimeAmount.seconds(10)
    package var longestOpenFor = TimeAmount.seconds(60)

    package init() {}
}
