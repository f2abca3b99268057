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
        if target.hasEncodedControl { throw MessageError("an encoded control character in the path") }
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

extension UnsafeRawBufferPointer {
    /// Whether there is one of `%00` to `%1F`, or `%7F`, before the query. Servers disagree about what such a path is: patterns that
    /// match up to the end of a line take `/a%0A` for `/a`, and C strings end at `%00`.
    fileprivate var hasEncodedControl: Bool {
        guard var index = firstIndex(of: UInt8(ascii: "%"), from: 0) else { return false }
        let end = firstIndex(of: UInt8(ascii: "?"), from: 0) ?? count
        while index + 2 < end {
            let (high, low) = (self[index + 1], self[index + 2])
            let isHex = ByteClass.table[Int(low)] & ByteClass.hexDigit != 0
            if high == UInt8(ascii: "0") || high == UInt8(ascii: "1"), isHex { return true }
            if high == UInt8(ascii: "7"), low | 0x20 == UInt8(ascii: "f") { return true }
            guard let next = firstIndex(of: UInt8(ascii: "%"), from: index + 1) else { return false }
            index = next
        }
        return false
    }
}
