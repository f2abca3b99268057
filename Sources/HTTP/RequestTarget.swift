import Core
import NIOCore

/// The forms of a request target (RFC 9112 §3.2) and what becomes of them.
enum RequestTarget {
    enum Form: Equatable {
        case origin
        case asterisk
        /// Where the authority is, and where path and query begin after it.
        case absolute(authority: Range<Int>)
    }

    /// Checks a target; it holds no space, as the request line was split at them.
    static func form(of target: UnsafeRawBufferPointer, method: RequestMethod) throws(MessageError) -> Form {
        guard !target.isEmpty, target.isTargetText else {
            throw MessageError("a byte in the request target that may not stand there")
        }
        if target[0] == UInt8(ascii: "/") { return .origin }
        if target.count == 1, target[0] == UInt8(ascii: "*") {
            guard method == .options else {
                throw MessageError("the request target * with a method other than OPTIONS")
            }
            return .asterisk
        }
        guard let start = authorityStart(target) else {
            throw MessageError("the request target is neither a path nor an http URI")
        }
        let end = target[start...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? target.count
        // No user information: RFC 9110 §4.2.4 has it treated as an error.
        guard HostSyntax.isValid(UnsafeRawBufferPointer(rebasing: target[start..<end])) else {
            throw MessageError("the request target names no valid host")
        }
        return .absolute(authority: start..<end)
    }

    private static func authorityStart(_ target: UnsafeRawBufferPointer) -> Int? {
        for scheme in ["http://", "https://"] as [StaticString] where target.count > scheme.utf8CodeUnitCount {
            let length = scheme.utf8CodeUnitCount
            if UnsafeRawBufferPointer(rebasing: target[..<length]).equalsIgnoringCase(scheme) { return length }
        }
        return nil
    }

    /// Makes an absolute-form target origin-form, and its authority the Host (RFC 9112 §3.2.2: what the client sent as Host is
    /// ignored). `OPTIONS http://host` becomes `*` (§3.2.4).
    static func normalise(_ head: inout RequestHead, authority: Range<Int>) {
        let bytes = head.target.readableBytesView
        let host = bytes[(bytes.startIndex + authority.lowerBound)..<(bytes.startIndex + authority.upperBound)]
        let rest = bytes[(bytes.startIndex + authority.upperBound)...]
        head.fields.removeAll(named: "host")
        head.fields.append(name: "Host".utf8, value: host)
        var target = ByteBuffer()
        if rest.isEmpty, head.method == .options {
            target.writeStaticString("*")
        } else if rest.first == UInt8(ascii: "/") {
            target.writeBytes(rest)
        } else {
            target.writeStaticString("/")
            target.writeBytes(rest)
        }
        head.target = target
    }
}
