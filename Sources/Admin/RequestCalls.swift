import Core
import Dispatcher
import Foundation
import HTTPTypes
import Hummingbird
import Queue

/// `GET /admin/api/requests`, `/requests/{id}`, `POST …/replay`, `DELETE`: the request log.
struct RequestCalls: Sendable {
    let subjects: AdminServer.Subjects
    let operators: Operators

    /// Seconds, as clients are told of a full queue and a disk that cannot be written to.
    private static let retryAfter = 5

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
            await operators.record(ChangeRecord(.cancel, of: "\(id)"), by: context.author)
            return Response(status: .noContent)
        }
        api.post("/requests/{id}/replay") { request, context in
            // Base64 and JSON's escapes take their part.
            let limit = 2 * ReplayEdits.longestBody
            let order = try await JSON.body(ReplayOrder.self, of: request, context: context, limit: limit)
            guard let source = try await subjects.log.replaySource(try id(context)) else { throw try unknown(context) }
            let new = try await replay(source, order)
            await operators.record(ChangeRecord(.replay, of: "\(source.id)", to: "\(new)"), by: context.author)
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
        do {
            let edits = try order.edits()
            let isConfirmed = order.confirm == true
            if let refusal = ReplayRule.refusal(of: source.facts, edits: edits, isConfirmed: isConfirmed) {
                throw refusal
            }
            return try await subjects.replayer.replay(source, edits: edits)
        } catch let refusal as ReplayRefusal {
            throw AdminProblem(refused: refusal)
        } catch let error as ReplayError {
            let status: HTTPResponse.Status = error.reason == .queueFull ? .tooManyRequests : .serviceUnavailable
            var problem = AdminProblem(status, error.reason.rawValue, error.description)
            problem.fields[.retryAfter] = "\(Self.retryAfter)"
            throw problem
        }
    }
}
