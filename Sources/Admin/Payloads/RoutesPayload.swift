import Core
import Queue

/// What `GET /admin/api/routes` answers.
package struct RoutesPayload: Codable, Equatable, Sendable {
    package var routes: [RoutePayload]
}

/// One route, with where each of its values comes from.
package struct RoutePayload: Codable, Equatable, Sendable {
    package struct Sources: Codable, Equatable, Sendable {
        package var needs: String
        package var holdTimeout: String
        package var requestTimeout: String
        package var retry: String
        package var maxConcurrency: String
        package var maxQueueDepth: String
    }

    package var id: String
    package var method: String?
    package var path: String?
    package var needs: NeedsPayload
    /// In force, in seconds.
    package var holdTimeout: Double
    /// What it is without the operator's value.
    package var configuredHoldTimeout: Double
    package var requestTimeout: Double
    package var retry: String
    /// How many of its requests may be with pods at once, in force; null for no bound.
    @Nullable package var maxConcurrency: Int?
    /// What it is without the operator's value.
    @Nullable package var configuredMaxConcurrency: Int?
    /// How many of its requests may wait at once; null for no bound of its own.
    @Nullable package var maxQueueDepth: Int?
    /// By an operator, the route by itself.
    package var paused: Bool
    /// Where each value comes from: `operator`, `configuration`, `openapi` or `default`.
    package var sources: Sources

    init(_ route: Route, _ controls: OperatorControls) {
        let hold = controls.holdTimeouts[route.id]
        let bound = controls.maxConcurrency[route.id]
        id = route.id
        method = route.method
        path = route.template
        needs = NeedsPayload(route.needs)
        holdTimeout = (hold ?? route.holdTimeout.value).inSeconds
        configuredHoldTimeout = route.holdTimeout.value.inSeconds
        requestTimeout = route.requestTimeout.value.inSeconds
        retry = route.retry.value.rawValue
        maxConcurrency = bound ?? route.maxConcurrency.value
        configuredMaxConcurrency = route.maxConcurrency.value
        maxQueueDepth = route.maxQueueDepth.value
        paused = controls.pausedRoutes.contains(route.id)
        sources = Sources(
            needs: route.needsSource.rawValue,
            holdTimeout: (hold == nil ? route.holdTimeout.source : .operator).rawValue,
            requestTimeout: route.requestTimeout.source.rawValue,
            retry: route.retry.source.rawValue,
            maxConcurrency: (bound == nil ? route.maxConcurrency.source : .operator).rawValue,
            maxQueueDepth: route.maxQueueDepth.source.rawValue
        )
    }
}
