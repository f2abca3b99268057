import Core
import Dispatcher
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Queue

/// `GET /admin/api/requests`, `/requests/{id}`, `POST …/replay`, `DELETE`: the request log.
struct RequestCalls: Sendable {
    let subjects: AdminServer.Subjects
    let logger: Logger

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/requests") { request, _ in
            let query = try RequestQuery(request.uri.queryParameters)
            let page = try await subjects.log.page(query.filter, before: query.before, limit: query.limit)
            return try JSON.response(RequestsPayload(page))
        }
        api.get("/requests/{id}") { _, context in
            guard let entry = try await subjects.log.detail(try id(context)) else { throw try unknown(context) }
            return try JSON.response(RequestPayload(entry, showsBodies: context.role == .full))
        }
        api.delete("/requests/{id}") { _, context in
            let id = try id(context)
            guard await subjects.dispatcher.cancel(id) else {
                guard try await subjects.log.detail(id) != nil else { throw try unknown(context) }
                throw AdminProblem(
                    .conflict,
                    "not_waiting",
                    "request \(id) does not wait (any more); only one that waits can be cancelled"
                )
            }
            logger.notice("An operator cancelled a request", metadata: ["request.id": "\(id)"])
            return Response(status: .noContent)
        }
        api.post("/requests/{id}/replay") { request, context in
            let order = try await JSON.body(ReplayOrder.self, of: request, context: context)
            guard let source = try await subjects.log.replaySource(try id(context)) else { throw try unknown(context) }
            let new = try await replay(source, order)
            var response = try JSON.response(ReplayPayload(id: "\(new)", replayOf: "\(source.id)"), status: .accepted)
            response.headers[.location] = "/admin/api/requests/\(new)"
            return response
        }
    }

    private func id(_ context: AdminContext) throws -> Core.RequestID {
        let text = try context.parameters.require("id")
        guard let id = Core.RequestID(text) else {
            throw AdminProblem.badRequest("\(text) is no request id: 13 characters, as in Neutrino-Request-Id")
        }
        return id
    }

    private func unknown(_ context: AdminContext) throws -> AdminProblem {
        .notFound(
            "there is no request \(try context.parameters.require("id")); it may have been removed by LOG_RETENTION"
        )
    }

    // MARK: Replay

    private func replay(_ source: ReplaySource, _ order: ReplayOrder) async throws -> Core.RequestID {
        if let refusal = ReplayRule(source, order).refusal { throw refusal }
        let routes = subjects.routes()
        guard let route = routes.first(where: { $0.id == source.routeID }) ?? routes.first else {
            throw AdminProblem(.serviceUnavailable, "no_routes", "the gateway has no routes yet")
        }
        do {
            let id = try await subjects.replayer.replay(source, route: route, supplied: order.fields)
            logger.notice(
                "An operator replayed a request",
                metadata: ["request.id": "\(id)", "replay_of": "\(source.id)"]
            )
            return id
        } catch let error as ReplayError {
            let status: HTTPResponse.Status = error.reason == .queueFull ? .tooManyRequests : .serviceUnavailable
            throw AdminProblem(status, error.reason.rawValue, error.description)
        }
    }
}

/// Whether a request may be sent again.
struct ReplayRule {
    private let source: ReplaySource
    private let order: ReplayOrder

    init(_ source: ReplaySource, _ order: ReplayOrder) {
        self.source = source
        self.order = order
    }

    /// Why not; nil where it may.
    var refusal: AdminProblem? {
        guard source.state.isTerminal else {
            return AdminProblem(.conflict, "not_ended", "request \(source.id) has not ended: it is \(source.state)")
        }
        guard source.state != .rejected else {
            return AdminProblem(
                .conflict,
                "never_queued",
                "request \(source.id) was refused at the door; its fields and body were not kept"
            )
        }
        guard !source.isBodyMissing else {
            return AdminProblem(
                .conflict,
                "body_missing",
                "the body of request \(source.id) was removed (LOG_BODY_RETENTION)"
            )
        }
        for (name, value) in order.fields where !Self.isField(name, value) {
            return .badRequest("`headers` has a field that cannot be sent: \(name.debugDescription)")
        }
        let supplied = Set(order.fields.map { $0.name.lowercased() })
        let missing = source.withheld.filter { !supplied.contains($0.lowercased()) }
        guard missing.isEmpty else {
            return AdminProblem(
                .conflict,
                "credentials_missing",
                "request \(source.id) came with \(missing.joined(separator: ", ")), which were not kept; supply them in `headers`"
            )
        }
        guard !source.mayHaveRun || source.method.isIdempotent || order.confirm == true else {
            return AdminProblem(
                .conflict,
                "confirmation_needed",
                "request \(source.id) may have run, and \(source.method.rawValue) is not idempotent; send {\"confirm\": true} to repeat it"
            )
        }
        return nil
    }

    /// A field name is a token and a value holds no control characters (RFC 9110 §5.1, §5.5).
    static func isField(_ name: String, _ value: String) -> Bool {
        HTTPField.Name(name) != nil && HTTPField.isValidValue(value)
    }
}
