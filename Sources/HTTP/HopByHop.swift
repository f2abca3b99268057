import Core

/// The fields that belong to one connection and are not passed on (RFC 9110 §7.6.1), as one message's `Connection` names them.
struct HopByHop {
    /// What `Connection` names, beyond what is always hop-by-hop: rare, so looked up in the fields themselves.
    private let connectionNames: [[UInt8]]

    init(_ fields: HeaderFields) {
        var names: [[UInt8]] = []
        fields.forEach { name, value in
            guard name.count == 10, name.equalsIgnoringCase("connection") else { return }
            value.forEachListMember { member in
                if !member.equalsIgnoringCase("close"), !member.equalsIgnoringCase("keep-alive"),
                    !Self.isAlwaysDropped(member), !Self.isProtected(member), names.count < Self.maximumNames
                {
                    names.append(Array(member))
                }
            }
        }
        connectionNames = names
    }

    /// More names in `Connection` than anyone has use for: each is compared with each field. A head with more is refused where it is
    /// read (``FramingFields``), since what is not looked at would be passed on.
    static let maximumNames = 32

    /// Whether a field of that name is dropped.
    @inline(__always)
    func contains(_ name: UnsafeRawBufferPointer) -> Bool {
        if Self.isAlwaysDropped(name) { return true }
        guard !connectionNames.isEmpty else { return false }
        return connectionNames.contains { candidate in
            candidate.withUnsafeBytes { name.equalsIgnoringCase($0) }
        }
    }

    /// `TE` goes too: what it says of trailers holds for this connection only, and trailers are passed on where there are some.
    @inline(__always)
    static func isAlwaysDropped(_ name: UnsafeRawBufferPointer) -> Bool {
        switch name.count {
        case 2: name.equalsIgnoringCase("te")
        case 7: name.equalsIgnoringCase("upgrade")
        case 10: name.equalsIgnoringCase("connection") || name.equalsIgnoringCase("keep-alive")
        case 14: name.equalsIgnoringCase("http2-settings")
        case 16: name.equalsIgnoringCase("proxy-connection")
        case 17: name.equalsIgnoringCase("transfer-encoding")
        default: false
        }
    }

    /// Fields for every recipient, which no sender may name in `Connection` (RFC 9110 §7.6.1): whoever does wants them to vanish on
    /// the way, such as the address that a proxy before us added, or the credentials that a pod is to check.
    private static func isProtected(_ name: UnsafeRawBufferPointer) -> Bool {
        for prefix in ["content-", "x-forwarded-"] as [StaticString] where name.count > prefix.utf8CodeUnitCount {
            let start = UnsafeRawBufferPointer(rebasing: name[..<prefix.utf8CodeUnitCount])
            if start.equalsIgnoringCase(prefix) { return true }
        }
        return protected.contains { name.equalsIgnoringCase($0) }
    }

    private static let protected: [StaticString] = [
        "host", "via", "forwarded", "authorization", "cookie", "cache-control", "date", "idempotency-key",
        "traceparent",
        "tracestate", "set-cookie", "expect", "x-request-id",
    ]
}
