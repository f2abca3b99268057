import Core
import Dispatcher
import Hummingbird
import NIOCore
import Queue

/// `GET /admin/api/queue` and `/pods`: who waits for what, and who could do it. Times are in seconds.
struct QueueCalls: Sendable {
    let subjects: AdminServer.Subjects

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/queue") { _, _ in
            try JSON.response(QueuePayload(await subjects.dispatcher.queueSnapshot()))
        }
        api.get("/pods") { _, _ in
            let pods = await subjects.dispatcher.podSnapshots()
            return try JSON.response(PodsPayload(pods: pods.map(PodsPayload.Pod.init)))
        }
    }
}

private struct QueuePayload: Encodable {
    struct Share: Encodable {
        var name: String
        var depth: Int
        var oldestAge: Double
    }

    struct Line: Encodable {
        var route: String
        var priority: String
        var needs: NeedsPayload
        var depth: Int
        var oldestAge: Double
        /// A word: the resource that is lacking, or why else.
        var why: String
        var explanation: String
        var reservedPod: String?
        /// When the first of the line will be refused, from now.
        var deadlineIn: Double
    }

    var depth: Int
    var oldestAge: Double
    var dispatched: Int
    var paused: Bool
    var draining: Bool
    var routes: [Share]
    var lacking: [Share]
    var lines: [Line]

    init(_ queue: QueueSnapshot) {
        func shares(_ depths: [String: QueueSnapshot.Depth]) -> [Share] {
            depths.map { Share(name: $0.key, depth: $0.value.count, oldestAge: $0.value.oldestAge.seconds) }
                .sorted { ($1.depth, $0.name) < ($0.depth, $1.name) }
        }
        depth = queue.total.count
        oldestAge = queue.total.oldestAge.seconds
        dispatched = queue.dispatched
        paused = queue.isPaused
        draining = queue.isDraining
        routes = shares(queue.routes)
        lacking = shares(queue.lacking)
        lines = queue.lines.map { line in
            Line(
                route: line.routeID,
                priority: "\(line.priority)",
                needs: NeedsPayload(line.needs),
                depth: line.depth.count,
                oldestAge: line.depth.oldestAge.seconds,
                why: line.why.name,
                explanation: line.explanation,
                reservedPod: line.reservedPodID,
                deadlineIn: line.deadlineIn.seconds
            )
        }
    }
}

private struct PodsPayload: Encodable {
    struct Pod: Encodable {
        var id: String
        var url: String
        var name: String?
        var namespace: String?
        var node: String?
        var routable: Bool
        var healthy: Bool
        var stale: Bool
        var draining: Bool
        var gone: Bool
        var total: NeedsPayload?
        /// Whether `total` is the pod's own word, not the most that was ever seen of it.
        var totalReported: Bool
        /// What is free now by the ledger.
        var available: NeedsPayload?
        /// What this gateway has placed on it.
        var leased: NeedsPayload
        var leases: Int
        var idleWorkers: Int?
        var totalWorkers: Int?
        var sampleAge: Double?
        var failedPolls: Int
        var pollProblem: String?
        var breaker: String
        var breakerReopensIn: Double?
        var reservedForRoute: String?
        var counts: Counts

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

    /// What became of the attempts at a pod since it was found.
    struct Counts: Encodable {
        var dispatched: Int
        var answered: Int
        var serverErrors: Int
        var busy: Int
        var connectFailed: Int
        var timeouts: Int
        var resets: Int
        var aborted: Int
        var polls: Int
        var pollsFailed: Int

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

    var pods: [Pod]
}

/// An amount of resources in whole units.
struct NeedsPayload: Codable {
    var cpus: Double
    var gpus: Double
    var memoryGb: Double

    init(_ vector: ResourceVector) {
        cpus = Double(vector.cpus) / 1000
        gpus = Double(vector.gpus) / 1000
        memoryGb = Double(vector.memory) / 1000
    }
}

extension TimeAmount {
    /// In seconds, to the millisecond.
    var seconds: Double { (Double(nanoseconds) / 1e6).rounded() / 1000 }
}

extension Duration {
    /// In seconds, to the microsecond.
    var inSeconds: Double {
        let (seconds, attoseconds) = components
        return ((Double(seconds) + Double(attoseconds) / 1e18) * 1e6).rounded() / 1e6
    }
}
