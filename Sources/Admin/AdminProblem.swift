import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

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
    static func notFound(_ detail: String) -> AdminProblem { AdminProblem(.notFound, "not_found", detail) }

    private struct Document: Encodable {
        var type: String
        var title: String
        var status: Int
        var detail: String
        var reason: String
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = try JSON.response(
            Document(
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
        } catch let error as HTTPError {
            let detail: String
            switch error.status {
            case .notFound: detail = "there is no such call: \(request.method) \(request.uri.path)"
            case .contentTooLarge: detail = "the body is over \(context.maxUploadSize) bytes"
            default: detail = error.body ?? error.status.reasonPhrase
            }
            let reason = error.status.reasonPhrase.lowercased().replacing(" ", with: "_")
            return try AdminProblem(error.status, reason, detail).response(from: request, context: context)
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
}

/// How the API writes and reads JSON.
enum JSON {
    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        var bytes = ByteBuffer(bytes: try encoder.encode(value))
        bytes.writeStaticString("\n")
        return Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
            body: ResponseBody(byteBuffer: bytes)
        )
    }

    /// Reads a call's body; an empty one as `{}`.
    /// - Throws: ``AdminProblem`` with what is wrong.
    static func body<Value: Decodable>(
        _ type: Value.Type,
        of request: Request,
        context: AdminContext
    ) async throws -> Value {
        let bytes = try await request.body.collect(upTo: context.maxUploadSize)
        let data = bytes.readableBytes == 0 ? Data("{}".utf8) : Data(bytes.readableBytesView)
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(type, from: data)
        } catch let error as DecodingError {
            throw AdminProblem.badRequest(explain(error))
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? "the body" : "`\(path)`"
        }
        switch error {
        case .typeMismatch(let type, let context):
            return "\(place(context)) is not of the kind that is accepted: \(type)"
        case .valueNotFound(_, let context): return "\(place(context)) must not be null"
        case .keyNotFound(let key, _): return "`\(key.stringValue)` is missing"
        case .dataCorrupted(let context): return "\(place(context)) is not valid: \(context.debugDescription)"
        @unknown default: return "the body cannot be read"
        }
    }
}

extension HTTPField.Name {
    static let xContentTypeOptions = HTTPField.Name("X-Content-Type-Options")!
}
