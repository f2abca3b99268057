import Core
import Dispatcher

/// What `GET /admin/api/pods` answers.
package struct PodsPayload: Codable, Equatable, Sendable {
    package var pods: [PodPayload]
    package var discovery: DiscoveryPayload

    init(_ pods: [PodSnapshot], discovery: DiscoveryPayload) {
        self.pods = pods.map(PodPayload.init)
        self.discovery = discovery
    }
}

/// One pod, and what this gateway has placed on it.
package struct PodPayload: Codable, Equatable, Sendable {
    /// What became of the attempts at a pod since it was found.
    package struct Counts: Codable, Equatable, Sendable {
        package var dispatched: Int
        package var answered: Int
        package var serverErrors: Int
        package var busy: Int
        package var connectFailed: Int
        package var timeouts: Int
        package var resets: Int
        package var aborted: Int
        package var polls: Int
        package var pollsFailed: Int

        init(_ counts: PodCounts) {
            dispatched = counts.dispatched
            answered = counts.answered
            serverErrors = counts.serverErrors
            busy = counts.busy
            connectFailed = counts.connectFailed
            timeouts = counts.timeouts
            resets = counts.resets
            aborted = counts.aborted
            polls = counts.polls
            pollsFailed = counts.pollsFailed
        }
    }

    package var id: String
    package var url: String
    package var name: String?
    package var namespace: String?
    package var node: String?
    package var routable: Bool
    package var healthy: Bool
    package var stale: Bool
    /// Gets nothing new, since discovery or an operator says so.
    package var draining: Bool
    /// An operator says so.
    package var drained: Bool
    package var gone: Bool
    package var total: NeedsPayload?
    /// Whether `total` is the pod's own word, not the most that was ever seen of it.
    package var totalReported: Bool
    /// What is free now by the ledger.
    package var available: NeedsPayload?
    /// What this gateway has placed on it.
    package var leased: NeedsPayload
    package var leases: Int
    package var idleWorkers: Int?
    package var totalWorkers: Int?
    package var sampleAge: Double?
    package var failedPolls: Int
    package var pollProblem: String?
    package var breaker: String
    package var breakerReopensIn: Double?
    package var reservedForRoute: String?
    package var counts: Counts

    init(_ pod: PodSnapshot) {
        let description = pod.pod.description
        id = pod.pod.id
        url = description.url
        name = description.name
        namespace = description.namespace
        node = description.node
        routable = pod.isRoutable
        healthy = pod.isHealthy
        stale = pod.isStale
        draining = pod.isDraining
        drained = pod.isDrained
        gone = pod.isGone
        total = pod.total.map(NeedsPayload.init)
        totalReported = pod.totalIsReported
        available = pod.available.map(NeedsPayload.init)
        leased = NeedsPayload(pod.leased)
        leases = pod.leases
        idleWorkers = pod.idleWorkers
        totalWorkers = pod.totalWorkers
        sampleAge = pod.sampleAge?.seconds
        failedPolls = pod.failedPolls
        pollProblem = pod.pollProblem
        breaker = pod.breaker
        breakerReopensIn = pod.breakerReopensIn?.seconds
        reservedForRoute = pod.reservedForRouteID
        counts = Counts(pod.counts)
    }
}
