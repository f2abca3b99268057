import Core
import NIOCore

/// What Ingress has to know of a request's fields, gathered in one pass. What they mean to the pod is the header rules' matter.
struct RequestSigns {
    private(set) var hasIdempotencyKey = false
    /// `Prefer: wait=N` in seconds (RFC 7240 §4.3); the first one counts.
    private(set) var wait: Int?

    init(_ fields: HeaderFields) {
        fields.forEach { name, value in
            switch name.count {
            case 6: if name.equalsIgnoringCase("prefer") { takePreferences(value) }
            case 15: if name.equalsIgnoringCase("idempotency-key") { hasIdempotencyKey = true }
            default: break
            }
        }
    }

    private mutating func takePreferences(_ value: UnsafeRawBufferPointer) {
        value.forEachListMember { member in
            guard wait == nil, member.count > 5,
                UnsafeRawBufferPointer(rebasing: member[..<5]).equalsIgnoringCase("wait=")
            else { return }
            var text = member[5...]
            if let end = text.firstIndex(of: UInt8(ascii: ";")) { text = text[..<end] }
            while text.last == 0x20 || text.last == 0x09 { text = text.dropLast() }
            if text.count > 2, text.first == UInt8(ascii: "\""), text.last == UInt8(ascii: "\"") {
                text = text.dropFirst().dropLast()
            }
            guard (1...9).contains(text.count), text.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return }
            wait = text.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
    }
}
