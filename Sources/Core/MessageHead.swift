package import NIOCore

/// The version of HTTP/1 that a message was sent with.
package enum HTTPVersion: Sendable {
    case http10
    case http11
}

/// How a message's body is delimited (RFC 9112 §6.3).
package enum BodyFraming: Hashable, Sendable {
    /// There is none.
    case none
    /// Content-Length, in bytes.
    case length(Int)
    /// Transfer-Encoding: chunked.
    case chunked
    /// It ends with the connection (answers only).
    case untilClose
}

/// The head of a request, as it came.
package struct RequestHead: Sendable {
    package var method: RequestMethod
    /// Origin-form (path and query) or `*`, byte for byte as the client sent it; reader index 0.
    package var target: ByteBuffer
    package var version: HTTPVersion
    package var fields: HeaderFields

    package init(method: RequestMethod, target: ByteBuffer, version: HTTPVersion, fields: HeaderFields) {
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
    }

    /// The target as text, for logs; bytes that are not UTF-8 are replaced.
    package var targetText: String { String(buffer: target) }
}

/// The head of an answer, as it came.
package struct ResponseHead: Sendable {
    /// 100 … 999.
    package var status: Int
    /// The reason phrase, as it came; may be empty.
    package var reason: String
    package var version: HTTPVersion
    package var fields: HeaderFields

    package init(status: Int, reason: String, version: HTTPVersion = .http11, fields: HeaderFields) {
        self.status = status
        self.reason = reason
        self.version = version
        self.fields = fields
    }
}

/// The whole body of a request.
package enum RequestBody: Sendable {
    case none
    /// In memory.
    case memory(ByteBuffer)
    /// In a file beside the database.
    case spooled(SpooledBody)

    /// What it takes of memory.
    package var bytesInMemory: Int { if case .memory(let buffer) = self { buffer.readableBytes } else { 0 } }

    /// In bytes.
    package var byteCount: Int {
        switch self {
        case .none: 0
        case .memory(let buffer): buffer.readableBytes
        case .spooled(let body): body.byteCount
        }
    }
}

/// A body in a file of its own, complete and no longer written to.
package struct SpooledBody: Hashable, Sendable {
    /// The file's name inside the spool folder; what the row holds.
    package let name: String
    /// The file's path.
    package let path: String
    /// In bytes.
    package let byteCount: Int

    package init(name: String, path: String, byteCount: Int) {
        self.name = name
        self.path = path
        self.byteCount = byteCount
    }
}
