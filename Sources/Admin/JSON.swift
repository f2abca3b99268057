package import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// How the API writes and reads JSON: names in snake case, what there is not left out.
package enum JSON {
    /// Writes the payloads as the API does.
    package static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        return encoder
    }

    /// Reads them.
    package static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { AnyKey(read: $0.last?.stringValue ?? "") }
        return decoder
    }

    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        var bytes = ByteBuffer(bytes: try encoder.encode(value))
        bytes.writeStaticString("\n")
        return Response(
            status: status,
            headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: bytes)
        )
    }

    /// Reads a call's body; an empty one as `{}`.
    /// - Parameter limit: Bytes that are taken; nil for what is usual.
    /// - Throws: ``AdminProblem`` with what is wrong.
    static func body<Value: Decodable>(
        _ type: Value.Type,
        of request: Request,
        context: AdminContext,
        limit: Int? = nil
    ) async throws -> Value {
        let bytes = try await collect(request.body, upTo: limit ?? context.maxUploadSize)
        // A browser sends every other type without asking this listener first (Fetch, "CORS-safelisted request-header"). Programs may
        // send what they like.
        if context.admission.by == .session, bytes.readableBytes > 0, mediaType(of: request) != "application/json" {
            throw AdminProblem(
                .unsupportedMediaType,
                "unsupported_media_type",
                "with a session, Content-Type must be application/json"
            )
        }
        return try read(type, from: bytes.readableBytes == 0 ? ByteBuffer(string: "{}") : bytes)
    }

    /// A body as a whole.
    /// - Throws: ``AdminProblem`` where it is larger than that.
    static func collect(_ body: RequestBody, upTo limit: Int) async throws -> ByteBuffer {
        do {
            return try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw AdminProblem(.contentTooLarge, "content_too_large", "the body is over \(limit) bytes")
        }
    }

    /// - Throws: ``AdminProblem`` with what is wrong; a name that is there twice among it.
    static func read<Value: Decodable>(_ type: Value.Type, from bytes: ByteBuffer) throws -> Value {
        if let name = bytes.withUnsafeReadableBytes({ RepeatedKeys.first(in: $0) }) {
            throw AdminProblem.badRequest("the body is not valid: \"\(name)\" is there twice")
        }
        do {
            return try decoder.decode(type, from: Data(bytes.readableBytesView))
        } catch let error as DecodingError {
            throw AdminProblem.badRequest(explain(error))
        }
    }

    /// `Content-Type` without parameters, in lower case.
    static func mediaType(of request: Request) -> String? {
        request.headers[.contentType]?.prefix { $0 != ";" }.filter { !$0.isWhitespace }.lowercased()
    }

    private static func explain(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context) -> String {
            let path = context.codingPath.map { AnyKey.written($0.stringValue) }.joined(separator: ".")
            return path.isEmpty ? "the body" : "`\(path)`"
        }
        switch error {
        case .typeMismatch(let type, let context): return "\(place(context)) must be \(name(of: type))"
        case .valueNotFound(_, let context): return "\(place(context)) must not be null"
        case .keyNotFound(let key, _): return "`\(AnyKey.written(key.stringValue))` is missing"
        case .dataCorrupted(let context): return "\(place(context)) is not valid: \(context.debugDescription)"
        @unknown default: return "the body cannot be read"
        }
    }

    private static func name(of type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a text"
        case is Bool.Type: "true or false"
        case is any Numeric.Type: "a number"
        case is any RandomAccessCollection.Type: "a list"
        default: "an object"
        }
    }
}
