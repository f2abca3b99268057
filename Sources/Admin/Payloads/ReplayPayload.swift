import Dispatcher
import Foundation
import NIOCore

/// What `POST /admin/api/requests/{id}/replay` may say: what of the request is changed before it is sent again.
package struct ReplayOrder: Codable, Sendable {
    /// The request may have run and is not idempotent: do it all the same.
    package var confirm: Bool?
    /// Fields in place of the row's: credentials, which are not kept, and any other; null leaves a field out.
    package var headers: [String: String?]?
    package var method: String?
    /// Path and query; its route decides what is needed.
    package var path: String?
    /// As text.
    package var body: String?
    /// In base64, in place of `body`.
    package var bodyBase64: String?

    package init(
        confirm: Bool? = nil,
        headers: [String: String?]? = nil,
        method: String? = nil,
        path: String? = nil,
        body: String? = nil,
        bodyBase64: String? = nil
    ) {
        self.confirm = confirm
        self.headers = headers
        self.method = method
        self.path = path
        self.body = body
        self.bodyBase64 = bodyBase64
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try decoder.refuseKeys(except: CodingKeys.self)
        confirm = try values.decodeIfPresent(Bool.self, forKey: .confirm)
        headers = try values.decodeIfPresent([String: String?].self, forKey: .headers)
        method = try values.decodeIfPresent(String.self, forKey: .method)
        path = try values.decodeIfPresent(String.self, forKey: .path)
        body = try values.decodeIfPresent(String.self, forKey: .body)
        bodyBase64 = try values.decodeIfPresent(String.self, forKey: .bodyBase64)
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case confirm
        case headers
        case method
        case path
        case body
        case bodyBase64
    }

    /// What is changed, checked.
    /// - Throws: ``AdminProblem``, ``Dispatcher/ReplayRefusal``.
    func edits() throws -> ReplayEdits {
        guard body == nil || bodyBase64 == nil else {
            throw AdminProblem.badRequest("accepted is either `body` or `body_base64`, not both")
        }
        var bytes = body.map { ByteBuffer(string: $0) }
        if let bodyBase64 {
            guard let data = Data(base64Encoded: bodyBase64) else {
                throw AdminProblem.badRequest("`body_base64` is not base64 (RFC 4648 §4, with its padding)")
            }
            bytes = ByteBuffer(bytes: data)
        }
        return try ReplayEdits(method: method, target: path, fields: Self.fields(headers), body: bytes)
    }

    static func fields(_ headers: [String: String?]?) -> [ReplayEdits.Field] {
        (headers ?? [:]).map { ReplayEdits.Field(name: $0.key, value: $0.value) }.sorted { $0.name < $1.name }
    }
}

/// What `POST /admin/api/requests/{id}/replay` answers.
package struct ReplayPayload: Codable, Sendable {
    package var id: String
    package var replayOf: String
}
