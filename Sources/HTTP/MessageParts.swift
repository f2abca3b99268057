package import Core
package import NIOCore

/// What a server-side codec hands to the connection's handler, in order: one head, any number of body parts, one end; then the
/// next request. After ``invalid(_:)`` nothing comes any more.
package enum RequestPart: Sendable {
    /// `framing` is never ``Core/BodyFraming/untilClose``.
    case head(RequestHead, framing: BodyFraming)
    case body(ByteBuffer)
    case end(trailers: HeaderFields?)
    /// What came is not a request that may be forwarded; answer with its status and close.
    case invalid(MessageError)
}

/// What a client-side codec hands up. Heads of 1xx come as ``informational(_:)``.
package enum ResponsePart: Sendable {
    case informational(ResponseHead)
    /// `keepAlive`: whether the connection may be used again after the end (version, `Connection`, framing).
    case head(ResponseHead, framing: BodyFraming, keepAlive: Bool)
    case body(ByteBuffer)
    case end(trailers: HeaderFields?)
    case invalid(MessageError)
}

/// What a client-side handler writes: bytes that it has framed itself.
package enum OutgoingRequestPart: Sendable {
    /// The bytes of the head, and of the body as far as they are at hand. The codec needs the method to frame the answer.
    case head(ByteBuffer, method: RequestMethod)
    case bytes(ByteBuffer)
}

/// Why a message was refused.
package struct MessageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The status that a client gets for it: 400, 431, 501 or 505.
    package var status: Int
    package var description: String

    package init(status: Int = 400, _ description: String) {
        self.status = status
        self.description = description
    }
}

/// Bounds on what is read of a message.
package struct MessageLimits: Sendable {
    /// Of a start line, its fields and the trailers together, in bytes; over it 431. NIOHTTP1 counts only what fields are named and say.
    package var headBytes = 64 * 1024
    /// Field lines in a head and the trailers together.
    package var fieldLines = 200

    package init() {}

    /// For who stands behind a gateway: what it takes at its own bounds is a little more when it is passed on.
    package static let behindGateway: MessageLimits = {
        var limits = MessageLimits()
        limits.headBytes += 16 * 1024
        limits.fieldLines += 56
        return limits
    }()
}

/// The HTTP/1.1 codec behind which an implementation is chosen.
package enum MessageCodec: String, CaseIterable, Sendable {
    /// swift-nio's NIOHTTP1, which is llhttp.
    case nio
    /// Our own, which parses in place.
    case bytes
}
