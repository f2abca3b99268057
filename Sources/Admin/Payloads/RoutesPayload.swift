import Core

/// What `GET /admin/api/routes` answers.
package struct RoutesPayload: Codable, Sendable {
    package var routes: [RoutePayload]
}

/// One route, with where each of its values comes from.
package struct RoutePayload: Codable, Sendable {
    package struct Sources: Codable, Sendable {
        package var needs: String
        package var holdTimeout: String
        package var requestTimeout: String
        package var retry: String
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
    /// Where each value comes from: `operator`, `configuration`, `openapi` or `default`.
    package var sources: Sources

    init(_ route: Route, override: Duration?) {
        id = route.id
        method = route.method
        path = route.template
        needs = NeedsPayload(route.needs)
        holdTimeout = (override ?? route.holdTimeout.value).inSeconds
        configuredHoldTimeout = route.holdTimeout.value.inSeconds
        requestTimeout = route.requestTimeout.value.inSeconds
        retry = route.retry.value.rawValue
        sources = Sources(
            needs: route.needsSource.rawValue,
            holdTimeout: (override == nil ? route.holdTimeout.source : .operator).rawValue,
            requestTimeout: route.requestTimeout.source.rawValue,
            retry: route.retry.source.rawValue
        )
    }
}
