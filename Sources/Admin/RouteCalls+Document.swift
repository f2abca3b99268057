import Core
import HTTPTypes

extension RouteCalls {
    static let document = [
        CallDocument(
            method: .get,
            path: "/admin/api/routes",
            summary:
                "What each route's requests need, how long they may wait, and where each value comes from",
            answers: [.json(.object(["routes": .list(of: .named("Route"))]))]
        ),
        CallDocument(
            method: .patch,
            path: "/admin/api/routes/{id}",
            summary:
                "Sets a hold timeout or a bound on concurrency at once and for good; null gives it back",
            parameters: [.path("id", .text.about("Percent-encoded."))],
            body: .init(schema: .named("RouteOrder"), isRequired: true),
            answers: [
                .json(.named("Route"), "The route afterwards."),
                .empty(204, "A route that is gone has its values given back."),
            ],
            problems: [404]
        ),
    ]

    static let schemas: [(String, Schema)] = [
        ("Route", route),
        (
            "RouteOrder",
            .object(
                [:],
                maybe: [
                    "hold_timeout": .number(0...Route.longestTimeout).orNull.about("In seconds."),
                    "max_concurrency": .integer(Route.concurrencyBounds).orNull,
                ],
                atLeast: 1
            )
        ),
    ]

    private static let source = Schema.word(["operator", "configuration", "openapi", "default"])

    private static let route = Schema.object(
        [
            "id": .text,
            "needs": .named("Needs"),
            "hold_timeout": .seconds.about("In force, in seconds."),
            "configured_hold_timeout": .seconds.about("Without the operator's value, in seconds."),
            "request_timeout": .seconds,
            "retry": .word(RetryRule.allCases.map(\.rawValue)),
            "max_concurrency": .integer(Route.concurrencyBounds).orNull.about("In force; null for no bound."),
            "configured_max_concurrency": .integer(Route.concurrencyBounds).orNull.about(
                "Without the operator's value."
            ),
            "max_queue_depth": .integer(Route.depthBounds).orNull.about(
                "How many may wait at once; null for no bound of its own."
            ),
            "paused": .flag.about("By an operator, the route by itself."),
            "sources": .object([
                "needs": source, "hold_timeout": source, "request_timeout": source, "retry": source,
                "max_concurrency": source, "max_queue_depth": source,
            ]),
        ],
        maybe: ["method": .text, "path": .text]
    )
}
