import Core
import Dispatcher
import Foundation
import Hummingbird
import Logging
import Queue

/// `GET /admin/api/routes` and `PATCH /admin/api/routes/{id}`: what requests need and how long they may wait.
struct RouteCalls: Sendable {
    let subjects: AdminServer.Subjects
    let logger: Logger

    /// The longest hold timeout that an operator may set, in seconds: a day.
    private static let longestHold = 86_400.0

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/routes") { _, _ in
            var payloads: [RoutePayload] = []
            for route in subjects.routes() { payloads.append(await payload(of: route)) }
            return try JSON.response(RoutesPayload(routes: payloads))
        }
        api.patch("/routes/{id}") { request, context in
            let route = try route(named: context.parameters.require("id"))
            let change = try await JSON.body(RouteChange.self, of: request, context: context)
            guard let holdTimeout = change.holdTimeout else {
                throw AdminProblem.badRequest(
                    "nothing to change; accepted is `hold_timeout`: seconds, or null to give it back"
                )
            }
            try await set(holdTimeout, of: route)
            return try JSON.response(await payload(of: route))
        }
    }

    private func route(named encoded: String) throws -> Route {
        let id = encoded.removingPercentEncoding ?? encoded
        guard let route = subjects.routes().first(where: { $0.id == id }) else {
            throw AdminProblem.notFound(
                "there is no route \(id); GET /admin/api/routes lists them (percent-encode the id in the path)"
            )
        }
        return route
    }

    /// Kept first, then in force: what an operator was told to be set survives a crash.
    private func set(_ change: RouteChange.Value, of route: Route) async throws {
        var timeout: Duration?
        if case .seconds(let seconds) = change {
            guard seconds >= 0, seconds <= Self.longestHold else {
                throw AdminProblem.badRequest(
                    "`hold_timeout` is \(seconds); accepted are 0 to \(Int(Self.longestHold)) seconds"
                )
            }
            timeout = .milliseconds(Int64((seconds * 1000).rounded()))
        }
        try await subjects.settings.setHoldTimeout(timeout, for: route.id)
        await subjects.dispatcher.setHoldTimeout(timeout, routeKey: route.key)
        logger.notice(
            "An operator changed a hold timeout",
            metadata: ["route": "\(route.id)", "seconds": "\(timeout.map { "\($0.inSeconds)" } ?? "given back")"]
        )
    }

    private func payload(of route: Route) async -> RoutePayload {
        RoutePayload(route, override: await subjects.dispatcher.holdTimeoutOverride(routeKey: route.key))
    }
}

/// What `PATCH` may change. Absent is not null: null gives a value back.
struct RouteChange: Decodable {
    enum Value: Equatable {
        case seconds(Double)
        case givenBack
    }

    var holdTimeout: Value?

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        for key in values.allKeys {
            guard key.stringValue == "holdTimeout" else {
                throw DecodingError.dataCorruptedError(
                    forKey: key,
                    in: values,
                    debugDescription: "only `hold_timeout` can be changed"
                )
            }
            holdTimeout =
                try values.decodeNil(forKey: key) ? .givenBack : .seconds(values.decode(Double.self, forKey: key))
        }
    }
}
