import Core
import Dispatcher
import Queue

/// What `GET /admin/api/queue` answers: who waits, and why.
package struct QueuePayload: Codable, Equatable, Sendable {
    package struct Share: Codable, Equatable, Sendable {
        package var name: String
        package var depth: Int
        package var oldestAge: Double
    }

    /// A route that has waiting requests, some with pods, some that ended lately, or a value that an operator set.
    package struct Route: Codable, Equatable, Sendable {
        package var name: String
        package var depth: Int
        package var oldestAge: Double
        /// With pods now.
        package var dispatched: Int
        /// The route by itself.
        package var paused: Bool
        /// In force; null for no bound.
        @Nullable package var maxConcurrency: Int?
        package var waits: WaitsPayload
    }

    package struct Line: Codable, Equatable, Sendable {
        package var route: String
        package var priority: String
        package var needs: NeedsPayload
        package var depth: Int
        package var oldestAge: Double
        /// A word: the resource that is lacking, or why else.
        package var why: String
        package var explanation: String
        package var reservedPod: String?
        /// When the first of the line will be refused, from now; nil where it is not for having waited: a bulk replay made it.
        package var deadlineIn: Double?
        /// The id of the first of the line: what can be shown, or cancelled.
        package var first: String?
    }

    /// Replays that wait, behind all clients.
    package struct Replays: Codable, Equatable, Sendable {
        package var depth: Int
        package var oldestAge: Double
    }

    /// Clients' requests that wait, and how long the oldest of them has.
    package var depth: Int
    package var oldestAge: Double
    package var replays: Replays
    package var dispatched: Int
    package var paused: Bool
    package var draining: Bool
    /// Rows of the request log written since the start: where this moves, the log has something new.
    package var recorded = 0
    /// Bytes of the bodies of all requests that wait or are with pods: what `MAX_QUEUE_BYTES` bounds.
    package var bytes = 0
    package var routes: [Route]
    package var lacking: [Share]
    package var lines: [Line]
    package var waits: WaitsPayload

    init(_ queue: QueueSnapshot, waits: (all: WaitStatistics, routes: [String: WaitStatistics])) {
        func shares(_ depths: [String: QueueSnapshot.Depth]) -> [Share] {
            depths.map { Share(name: $0.key, depth: $0.value.count, oldestAge: $0.value.oldestAge.seconds) }
                .sorted { ($1.depth, $0.name) < ($0.depth, $1.name) }
        }
        depth = queue.live.count
        oldestAge = queue.live.oldestAge.seconds
        replays = Replays(depth: queue.replays.count, oldestAge: queue.replays.oldestAge.seconds)
        dispatched = queue.dispatched
        paused = queue.isPaused
        draining = queue.isDraining
        self.waits = WaitsPayload(waits.all)
        routes = queue.routes.compactMap { Route($0, waits: waits.routes[$0.id]) }
            .sorted { ($1.depth, $0.name) < ($0.depth, $1.name) }
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
                deadlineIn: line.deadlineIn?.seconds,
                first: line.firstID.map { "\($0)" }
            )
        }
    }
}

extension QueuePayload.Route {
    /// nil for a route about which there is nothing to tell.
    fileprivate init?(_ route: QueueSnapshot.Route, waits: WaitStatistics?) {
        guard route.depth.count > 0 || route.dispatched > 0 || route.hasOperatorSetting || waits != nil else {
            return nil
        }
        name = route.id
        depth = route.depth.count
        oldestAge = route.depth.oldestAge.seconds
        dispatched = route.dispatched
        paused = route.isPaused
        maxConcurrency = route.maxConcurrency
        self.waits = WaitsPayload(waits ?? .none)
    }
}
