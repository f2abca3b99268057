package import Core
package import NIOCore
package import Queue

/// Who waits, for operators.
package struct QueueSnapshot: Sendable {
    /// Waiting requests, and how long the oldest has waited.
    package struct Depth: Sendable, Equatable {
        package var count = 0
        package var oldestAge = TimeAmount.zero
    }

    /// One line: the requests of a route, a priority and the same needs.
    package struct Line: Sendable {
        package var routeID: String
        package var priority: RequestPriority
        package var needs: ResourceVector
        package var depth: Depth
        /// Why its first request waits, in words and as a word.
        package var why: WaitReason
        package var explanation: String
        /// The pod that is reserved for it.
        package var reservedPodID: String?
        /// When its first request will be refused, from now.
        package var deadlineIn: TimeAmount
    }

    package var total = Depth()
    /// By route id.
    package var routes: [String: Depth] = [:]
    /// By what the first of each line lacks: `gpus`, `workers`, … (``WaitReason/name``).
    package var lacking: [String: Depth] = [:]
    package var lines: [Line] = []
    package var isPaused = false
    package var isDraining = false
    /// Leased now, to any pod.
    package var dispatched = 0
}

/// One pod, for operators.
package struct PodSnapshot: Sendable {
    package var pod: Pod
    package var total: ResourceVector?
    /// Whether ``total`` is what the pod said, not the most that was ever seen of it.
    package var totalIsReported: Bool
    /// What the ledger says is free now; nil without a sample.
    package var available: ResourceVector?
    package var idleWorkers: Int?
    package var totalWorkers: Int?
    /// Open leases of this gateway, and what they need together.
    package var leases: Int
    package var leased: ResourceVector
    /// Since the last sample came; nil without one.
    package var sampleAge: TimeAmount?
    package var isStale: Bool
    package var isHealthy: Bool
    package var failedPolls: Int
    package var pollProblem: String?
    package var isDraining: Bool
    /// Gone from discovery, finishing what it has.
    package var isGone: Bool
    package var isRoutable: Bool
    /// `closed`, `open` or `half_open`, and when it lets a request through again.
    package var breaker: String
    package var breakerReopensIn: TimeAmount?
    package var reservedForRouteID: String?
    package var counts: PodCounts
}

/// What became of the attempts at one pod since it was found.
package struct PodCounts: Sendable, Equatable {
    package var dispatched = 0
    package var answered = 0
    /// Answered with a 5xx other than busy.
    package var serverErrors = 0
    package var busy = 0
    package var connectFailed = 0
    package var timeouts = 0
    package var resets = 0
    package var aborted = 0
    package var polls = 0
    package var pollsFailed = 0
}

/// Why a request waits, as a word.
package enum WaitReason: Sendable, Equatable {
    /// No pod is there, or none that is well.
    case noPods
    /// More than any pod has in all.
    case exceedsEveryPod(ResourceDimension)
    /// This is taken on every pod that could hold it.
    case lacks(ResourceDimension)
    /// Each resource is free somewhere, but not together on one pod.
    case fragmented
    /// No pod that could hold it has an idle worker for it.
    case workers
    /// What would fit is reserved for one that has waited longer.
    case reserved
    /// What would fit was refused as busy a moment ago, failed this request before, or is left alone by its breaker.
    case podsResting
    /// As many of its route are with pods as may be.
    case concurrency
    /// Dispatching is paused.
    case paused
    /// It is about to leave.
    case none

    /// The word for it in the API and in metrics: a resource's name, or the case.
    package var name: String {
        switch self {
        case .noPods: "no_pods"
        case .exceedsEveryPod(let dimension), .lacks(let dimension): dimension.rawValue
        case .fragmented: "fragmented"
        case .workers: "workers"
        case .reserved: "reserved"
        case .podsResting: "pods_resting"
        case .concurrency: "concurrency"
        case .paused: "paused"
        case .none: "none"
        }
    }
}
