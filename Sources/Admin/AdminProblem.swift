import HTTPTypes
import Hummingbird
import Logging
import Queue

/// An answer that tells of a problem (RFC 9457).
struct AdminProblem: Error, ResponseGenerator {
    var status: HTTPResponse.Status
    /// For programs.
    var reason: String
    /// For people.
    var detail: String
    var fields: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ reason: String, _ detail: String) {
        self.status = status
        self.reason = reason
        self.detail = detail
    }

    static func badRequest(_ detail: String) -> AdminProblem { AdminProblem(.badRequest, "bad_request", detail) }
    /// - Parameter accepted: In words.
    static func badParameter(_ name: String, _ value: some StringProtocol, _ accepted: String) -> AdminProblem {
        .badRequest("`\(name)` is \(String(value).prefix(100).debugDescription); accepted: \(accepted)")
    }

    static func notFound(_ detail: String) -> AdminProblem { AdminProblem(.notFound, "not_found", detail) }

    static func noRoute(_ id: String) -> AdminProblem {
        .notFound("there is no route \(id.prefix(200).debugDescription); GET /admin/api/routes lists them")
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = try JSON.response(
            ProblemPayload(
                type: "urn:neutrino-gateway:problem:\(reason)",
                title: status.reasonPhrase,
                status: status.code,
                detail: detail,
                reason: reason
            ),
            status: status
        )
        response.headers[.contentType] = "application/problem+json"
        for field in fields { response.headers.append(field) }
        return response
    }
}

/// Turns whatever a call throws into a problem document; what is not meant for an operator's eyes goes to the log only.
struct ProblemMiddleware: RouterMiddleware {
    typealias Context = AdminContext

    func handle(
        _ request: Request,
        context: AdminContext,
        next: @concurrent (Request, AdminContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as AdminProblem {
            return try problem.response(from: request, context: context)
        } catch let error as HTTPError where error.status == .notFound {
            return try Self.noCall(request).response(from: request, context: context)
        } catch let error as HTTPError {
            let reason = error.status.reasonPhrase.lowercased().replacing(" ", with: "_")
            return try AdminProblem(error.status, reason, error.body ?? error.status.reasonPhrase)
                .response(from: request, context: context)
        } catch let error as QueueError where error.isPassing {
            context.logger.warning(
                "An admin call found the database unable",
                metadata: ["error": "\(error)", "path": "\(request.uri.path)"]
            )
            return try AdminProblem(.serviceUnavailable, "storage_unavailable", error.message)
                .response(from: request, context: context)
        } catch {
            context.logger.error(
                "An admin call failed",
                metadata: ["error": "\(error)", "path": "\(request.uri.path)"]
            )
            return try AdminProblem(
                .internalServerError,
                "internal_error",
                "the call failed; the gateway's log says why"
            )
            .response(from: request, context: context)
        }
    }

    /// There is no such path, or it has other methods.
    private static func noCall(_ request: Request) -> AdminProblem {
        let methods = CallTable.methods(of: request.uri.path).map(\.rawValue).joined(separator: ", ")
        guard !methods.isEmpty else {
            return .notFound("there is no such call: \(request.method) \(request.uri.path)")
        }
        let detail = "\(request.uri.path) has no method \(request.method); it has \(methods)"
        var problem = AdminProblem(.methodNotAllowed, "method_not_allowed", detail)
        problem.fields[.allow] = methods
        return problem
    }
}

extension QueueError {
    /// Whether the call may work when it is made again.
    fileprivate var isPassing: Bool {
        switch code {
        case .timeout, .storage, .full, .closed: true
        default: false
        }
    }
}
