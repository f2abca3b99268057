import Core

/// What the fields of a head say about its framing and its connection, gathered in one pass over them.
///
/// Stricter than RFC 9112 where it leaves a choice: a message whose length two readers could understand differently is refused,
/// never repaired (§6.1, §6.3, §11.2).
struct FramingFields {
    private(set) var hosts = 0
    private(set) var contentLength: Int?
    private(set) var hasTransferEncoding = false
    private(set) var hasConnection = false
    /// `Connection: close`.
    private(set) var closes = false
    /// `Connection: keep-alive`.
    private(set) var keepsAlive = false
    /// `Connection: upgrade`.
    private(set) var upgrades = false
    /// Members of `Connection`.
    private var connectionNames = 0
    /// The first thing that is wrong with a field by itself; not Host, which means nothing in an answer.
    private(set) var error: MessageError?
    private var hasInvalidHost = false

    /// Takes the next field line of the head. The name is a token and the value has no white space around it.
    @inline(__always)
    mutating func take(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        switch name.count {
        case 4: if name.equalsIgnoringCase("host") { takeHost(value) }
        case 10: if name.equalsIgnoringCase("connection") { takeConnection(value) }
        case 14: if name.equalsIgnoringCase("content-length") { takeContentLength(value) }
        case 16: if name.equalsIgnoringCase("proxy-connection") { takeProxyConnection(value) }
        case 17: if name.equalsIgnoringCase("transfer-encoding") { takeTransferEncoding(value) }
        default: break
        }
    }

    /// Takes the white space behind the value of the line before. llhttp reads `chunked` and a tab as another coding than `chunked`:
    /// whatever reads us may too.
    mutating func take(behind space: UnsafeRawBufferPointer, name: UnsafeRawBufferPointer) {
        guard space.contains(0x09),
            name.equalsIgnoringCase("transfer-encoding") || name.equalsIgnoringCase("content-length")
        else { return }
        fail("a tab behind what frames the message")
    }

    private mutating func takeHost(_ value: UnsafeRawBufferPointer) {
        hosts += 1
        if !HostSyntax.isValid(value) { hasInvalidHost = true }
    }

    private mutating func takeConnection(_ value: UnsafeRawBufferPointer) {
        hasConnection = true
        value.forEachListMember { member in
            connectionNames += 1
            if member.equalsIgnoringCase("close") {
                closes = true
            } else if member.equalsIgnoringCase("keep-alive") {
                // llhttp does not see it where a tab is behind it, and takes the connection to end.
                keepsAlive = !value.contains(0x09)
            } else if member.equalsIgnoringCase("upgrade") {
                upgrades = true
            }
        }
        if connectionNames > HopByHop.maximumNames { fail("more than \(HopByHop.maximumNames) names in Connection") }
    }

    /// Nobody should send it, but old clients mean it, and llhttp believes them: what ends the connection is heeded.
    private mutating func takeProxyConnection(_ value: UnsafeRawBufferPointer) {
        let keptAlive = keepsAlive
        takeConnection(value)
        keepsAlive = keptAlive
    }

    private mutating func takeContentLength(_ value: UnsafeRawBufferPointer) {
        guard contentLength == nil else { return fail("more than one Content-Length field") }
        guard let length = Int(decimalDigits: value) else { return fail("Content-Length is not a number") }
        contentLength = length
    }

    private mutating func takeTransferEncoding(_ value: UnsafeRawBufferPointer) {
        guard !hasTransferEncoding else { return fail("more than one Transfer-Encoding field") }
        hasTransferEncoding = true
        guard !value.equalsIgnoringCase("chunked") else { return }
        var unknown = false
        value.forEachListMember { member in
            if member.isToken, !Self.codings.contains(where: { member.equalsIgnoringCase($0) }) { unknown = true }
        }
        // RFC 9112 §6.1: 501 for a coding that is not understood. Of those that are, only chunked by itself is taken.
        fail(
            unknown ? "an unknown transfer coding" : "a Transfer-Encoding other than chunked",
            status: unknown ? 501 : 400
        )
    }

    private static let codings: [StaticString] = [
        "chunked", "gzip", "x-gzip", "deflate", "compress", "x-compress", "identity",
    ]

    private mutating func fail(_ text: String, status: Int = 400) {
        if error == nil { error = MessageError(status: status, text) }
    }
}

extension FramingFields {
    /// Whether any of the lines is one that trailers may not have (RFC 9110 §6.5.1).
    var saysAnything: Bool { hosts > 0 || contentLength != nil || hasTransferEncoding || hasConnection || error != nil }

    /// How the body of a request with these fields is delimited.
    func requestFraming(version: HTTPVersion) throws(MessageError) -> BodyFraming {
        if let error { throw error }
        if hosts != 1, hosts > 1 || version == .http11 {
            throw MessageError(hosts > 1 ? "more than one Host field" : "no Host field")
        }
        if hasInvalidHost { throw MessageError("the Host field is not a host and port") }
        if hasTransferEncoding {
            if contentLength != nil { throw MessageError("both Content-Length and Transfer-Encoding") }
            if version == .http10 { throw MessageError("Transfer-Encoding in an HTTP/1.0 request") }
            return .chunked
        }
        return contentLength.map { .length($0) } ?? .none
    }

    /// How the body of an answer with these fields is delimited (RFC 9112 §6.3). Never used for 1xx.
    func answerFraming(status: Int, to method: RequestMethod) throws(MessageError) -> BodyFraming {
        if let error { throw MessageError(status: 502, error.description) }
        if hasTransferEncoding, contentLength != nil {
            throw MessageError(status: 502, "both Content-Length and Transfer-Encoding")
        }
        if method == .head || status == 204 || status == 304 { return .none }
        if hasTransferEncoding { return .chunked }
        return contentLength.map { .length($0) } ?? .untilClose
    }

    /// Whether the connection may be used again after a message with these fields (RFC 9112 §9.3).
    func keepsConnection(version: HTTPVersion) -> Bool {
        if closes { return false }
        return version == .http11 || keepsAlive && !hasTransferEncoding
    }
}

extension Int {
    /// Reads a number of at most 18 decimal digits: no sign, no space, nothing else.
    init?(decimalDigits bytes: UnsafeRawBufferPointer) {
        guard (1...18).contains(bytes.count) else { return nil }
        var value = 0
        for byte in bytes {
            let digit = byte &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value &* 10 &+ Int(digit)
        }
        self = value
    }
}
