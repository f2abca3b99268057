import Core
import Dispatcher
import Ingress
import NIOCore
import Telemetry

/// Who waits for what and who could do it, asked of the dispatcher in one turn, so that the figures belong together.
struct DispatchCollector: MetricsCollector {
    let dispatcher: RequestDispatcher
    let maxQueueDepth: Int
    /// Knows of a drain from its beginning.
    let health: HealthState

    func collect() async -> [MetricFamily] {
        var (queue, pods) = await dispatcher.snapshots()
        queue.isDraining = health.report.draining
        return Self.queue(queue, limit: maxQueueDepth) + [Self.demand(queue, pods)] + PodFigures.families(pods)
    }

    private static func queue(_ queue: QueueSnapshot, limit: Int) -> [MetricFamily] {
        var depth = MetricFamily(.gauge, "neutrino_route_queue_depth", "Requests of a route that wait; 0 is left out.")
        var age = MetricFamily(
            .gauge,
            "neutrino_route_queue_oldest_age_seconds",
            "How long the oldest of them has waited."
        )
        var paused = MetricFamily(.gauge, "neutrino_route_paused", "1 while an operator has paused a route by itself.")
        for route in queue.routes.sorted(by: { $0.id < $1.id }) {
            paused.add(route.isPaused, [.init("route", route.id)])
        }
        for route in queue.routes.filter({ $0.depth.count > 0 }).sorted(by: { $0.id < $1.id }) {
            depth.add(route.depth.count, [.init("route", route.id)])
            age.add(route.depth.oldestAge.inSeconds, [.init("route", route.id)])
        }
        var lacking = MetricFamily(
            .gauge,
            "neutrino_queue_lacking",
            "Requests that wait by what the first of their line lacks: a resource, `no_pods`, `workers`, `fragmented` and so on; 0 is left out."
        )
        for (why, waiting) in queue.lacking.sorted(by: { $0.key < $1.key }) {
            lacking.add(waiting.count, [.init("why", why)])
        }
        var all = MetricFamily(
            .gauge,
            "neutrino_queue_depth",
            "Requests that wait: of clients (`live`), and replays, which go behind all of those."
        )
        var oldest = MetricFamily(
            .gauge,
            "neutrino_queue_oldest_age_seconds",
            "How long the oldest request that waits has waited."
        )
        for (priority, depth) in [("live", queue.live), ("replay", queue.replays)] {
            all.add(depth.count, [.init("priority", priority)])
            oldest.add(depth.oldestAge.inSeconds, [.init("priority", priority)])
        }
        return [
            all,
            .gauge("neutrino_queue_depth_limit", "`MAX_QUEUE_DEPTH`: of clients, one more is answered 429.", limit),
            oldest,
            .gauge("neutrino_requests_dispatched", "Requests that pods have now.", queue.dispatched),
            .gauge("neutrino_paused", "1 while an operator has paused dispatching.", queue.isPaused),
            .gauge("neutrino_draining", "1 while the gateway shuts down.", queue.isDraining),
            depth, age, lacking, paused,
        ]
    }

    /// What all requests in the house need together: the number to scale pods by.
    private static func demand(_ queue: QueueSnapshot, _ pods: [PodSnapshot]) -> MetricFamily {
        var family = MetricFamily(
            .gauge,
            "neutrino_demand",
            "What all requests that wait and that pods have need together, in whole CPUs, GPUs and GB: the number to scale pods by."
        )
        for dimension in ResourceDimension.allCases {
            let waiting = queue.lines.reduce(0) { $0 + $1.needs[dimension] * Int64($1.depth.count) }
            let leased = pods.reduce(0) { $0 + $1.leased[dimension] }
            family.add(Double(waiting + leased) / 1000, [.init("resource", dimension.rawValue)])
        }
        return family
    }
}

extension TimeAmount {
    var inSeconds: Double { Double(nanoseconds) / 1e9 }
}
