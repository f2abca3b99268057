package import Core
import NIOCore

/// What becomes of a message's fields on the way through the gateway. Pure functions.
package enum HeaderRules {
    /// The fields of a request as they go to a pod, in a block of their own.
    ///
    /// - Dropped: what is hop-by-hop, also by `Connection`; `Content-Length`, `Transfer-Encoding`, `Expect` and `Trailer`, since the body has
    ///   been taken in whole and the transport frames it anew; what only the gateway may say (`Neutrino-*`), also with `_` for
    ///   `-`, which CGI and WSGI do not tell apart.
    /// - `X-Forwarded-For`, `-Proto` and `-Host` (and `Forwarded`, RFC 7239) of a peer that is not trusted are dropped; of one that is, the
    ///   address is appended and the others stay. With `_` for `-` they are dropped whoever sends them: a proxy replaces only the names that
    ///   it knows, and passes on what its client wrote in such a spelling.
    /// - `Via` gets a member (RFC 9110 §7.6.3).
    /// - `traceparent` stays where it is valid (W3C Trace Context); else it is begun, and `tracestate` goes.
    /// - `Max-Forwards` of OPTIONS and TRACE is counted down.
    ///
    /// - Parameter beginsTrace: False where a tracer begins it.
    package static func forwarded(
        _ head: RequestHead,
        from peer: ForwardingPeer,
        beginsTrace: Bool = true,
        generator: inout some RandomNumberGenerator
    ) -> HeaderFields {
        let hopByHop = HopByHop(head.fields)
        var facts = ForwardingFacts()
        head.fields.forEach { facts.take(name: $0, value: $1) }
        let keepsTrace = facts.traceparents == 1 && facts.hasValidTrace
        let extraBytes = 160 + facts.forwardedForBytes + facts.hostBytes + peer.address.utf8.count
        var fields = head.fields.compacted(reserving: extraBytes, lines: 5) { name, _ in
            if hopByHop.contains(name) { return true }
            switch Kind(name) {
            case .dropped, .forwardedFor: return true
            case .forwardedProto, .forwardedHost, .forwarded: return !peer.isTrusted
            case .trace: return !keepsTrace
            case .passed: return false
            }
        }
        fields.append("Via") { $0.writeText(head.version == .http11 ? "1.1 neutrino" : "1.0 neutrino") }
        fields.append("X-Forwarded-For") { value in
            if peer.isTrusted {
                head.fields.forEach { name, earlier in
                    guard Kind(name) == .forwardedFor, !earlier.isEmpty else { return }
                    value.writeBytes(earlier)
                    value.writeText(", ")
                }
            }
            value.writeString(peer.address)
        }
        if !(peer.isTrusted && facts.hasForwardedProto) {
            fields.append("X-Forwarded-Proto") { $0.writeText(peer.isSecure ? "https" : "http") }
        }
        if !(peer.isTrusted && facts.hasForwardedHost), facts.hostBytes > 0 {
            fields.append("X-Forwarded-Host") { value in
                head.fields.forEach { name, host in
                    if name.equalsIgnoringCase("host") { value.writeBytes(host) }
                }
            }
        }
        if let hops = maxForwards(head), hops > 0 {
            fields.removeAll(named: "max-forwards")
            fields.append("Max-Forwards") { $0.writeString("\(hops - 1)") }
        }
        if !keepsTrace, beginsTrace {
            fields.append("traceparent") { TraceParent.begin(into: &$0, generator: &generator) }
        }
        return fields
    }

    /// How often an OPTIONS or TRACE request may still be forwarded (RFC 9110 §7.6.2): at 0 whoever has it answers. nil where it does not
    /// say so in a number, and for other methods.
    package static func maxForwards(_ head: RequestHead) -> Int? {
        guard head.method == .options || head.method == .trace else { return nil }
        var hops: Int?
        head.fields.forEach { name, value in
            guard hops == nil, name.equalsIgnoringCase("max-forwards"), !value.isEmpty,
                value.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 })
            else { return }
            // What is too long to be read is more than any request needs.
            hops = Int(decimalDigits: value) ?? 255
        }
        return hops
    }

    /// Removes from a pod's answer what is hop-by-hop. The rest is the pod's own and stays as it is, its `Content-Length` among it.
    package static func receive(_ head: inout ResponseHead) { removeHopByHop(&head.fields) }

    /// Whether a field is one that only the gateway may set, in requests and in answers: `Neutrino-…`, also with `_` for `-`.
    package static func isOurs(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count >= 9 && UnsafeRawBufferPointer(rebasing: name[..<9]).equalsFolding("neutrino-")
    }

    /// Removes what is hop-by-hop, for a party that passes messages on without anything else to add or take away.
    package static func removeHopByHop(_ fields: inout HeaderFields) {
        let hopByHop = HopByHop(fields)
        fields.removeAll { name, _ in hopByHop.contains(name) }
    }

    /// The trailers that are passed on: without fields that frame, route or authenticate a message or say how to read it, which have no
    /// place there (RFC 9110 §6.5.1); nil for none.
    package static func trailers(_ fields: HeaderFields?) -> HeaderFields? {
        guard var fields else { return nil }
        fields.removeAll { name, _ in
            HopByHop.isAlwaysDropped(name) || Kind(name) != .passed
                || forbiddenTrailers.contains { name.equalsIgnoringCase($0) }
        }
        return fields.isEmpty ? nil : fields
    }

    private static let forbiddenTrailers: [StaticString] = [
        "host", "authorization", "proxy-authorization", "cookie", "set-cookie", "www-authenticate",
        "proxy-authenticate",
        "cache-control", "content-encoding", "content-type", "content-range", "range", "max-forwards", "via", "date",
        "location",
        "vary", "retry-after", "age", "expires", "warning", "pragma",
    ]
}

/// Who sent a request to us.
package struct ForwardingPeer: Sendable {
    /// The address of the other end of the connection, without a port.
    package var address: String
    /// Whether it is one of `TRUSTED_PROXIES`, whose word is taken for who was before it.
    package var isTrusted: Bool
    /// Whether it came over TLS.
    package var isSecure: Bool

    package init(address: String, isTrusted: Bool = false, isSecure: Bool = false) {
        self.address = address
        self.isTrusted = isTrusted
        self.isSecure = isSecure
    }
}

/// What a field of a request is to the forwarding rules, by its name with `_` as `-`.
private enum Kind {
    case passed
    case dropped
    case forwardedFor
    case forwardedProto
    case forwardedHost
    case forwarded
    /// `traceparent` or `tracestate`.
    case trace

    @inline(__always)
    init(_ name: UnsafeRawBufferPointer) {
        self = .passed
        switch name.count {
        case 6: if name.equalsIgnoringCase("expect") { self = .dropped }
        case 7: if name.equalsIgnoringCase("trailer") { self = .dropped }
        case 9: if name.equalsIgnoringCase("forwarded") { self = .forwarded }
        case 10: if name.equalsIgnoringCase("tracestate") { self = .trace }
        case 11: if name.equalsIgnoringCase("traceparent") { self = .trace }
        case 14: if name.equalsFolding("content-length") { self = .dropped }
        case 15: if name.equalsFolding("x-forwarded-for") { self = name.isHyphenated ? .forwardedFor : .dropped }
        case 16: if name.equalsFolding("x-forwarded-host") { self = name.isHyphenated ? .forwardedHost : .dropped }
        case 17:
            if name.equalsFolding("x-forwarded-proto") {
                self = name.isHyphenated ? .forwardedProto : .dropped
            } else if name.equalsFolding("transfer-encoding") {
                self = .dropped
            }
        default: break
        }
        if name.count >= 9, name[0] | 0x20 == UInt8(ascii: "n"), HeaderRules.isOurs(name) { self = .dropped }
    }
}

/// What has to be known of a request's fields before any is dropped.
private struct ForwardingFacts {
    private(set) var forwardedForBytes = 0
    private(set) var hostBytes = 0
    private(set) var hasForwardedProto = false
    private(set) var hasForwardedHost = false
    private(set) var traceparents = 0
    private(set) var hasValidTrace = false

    @inline(__always)
    mutating func take(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        switch name.count {
        case 4: if name.equalsIgnoringCase("host") { hostBytes = value.count }
        case 11:
            if name.equalsIgnoringCase("traceparent") {
                traceparents += 1
                hasValidTrace = TraceParent.isValid(value)
            }
        case 15: if name.equalsIgnoringCase("x-forwarded-for") { forwardedForBytes += value.count + 2 }
        case 16: if name.equalsIgnoringCase("x-forwarded-host") { hasForwardedHost = true }
        case 17: if name.equalsIgnoringCase("x-forwarded-proto") { hasForwardedProto = true }
        default: break
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether it has no `_`.
    fileprivate var isHyphenated: Bool { !contains(UInt8(ascii: "_")) }

    /// Whether these bytes are that lower-case text, in any case and with `_` for `-`.
    @inline(__always)
    fileprivate func equalsFolding(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count {
            let (mine, theirs) = (self[index], text.utf8Start[index])
            guard mine != theirs else { continue }
            if mine ^ theirs == 0x20, theirs &- 97 < 26 { continue }
            guard theirs == UInt8(ascii: "-"), mine == UInt8(ascii: "_") else { return false }
        }
        return true
    }
}
