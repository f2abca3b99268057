import Core
package import NIOCore

/// The value of the field `traceparent` of W3C Trace Context, level 1: which trace a request belongs to, and which span of it sent it.
package struct TraceParent: Sendable, Hashable {
    package static let field = "traceparent"
    package static let stateField = "tracestate"
    /// The flag of a trace that is recorded (§3.2.2.5).
    package static let sampled: UInt8 = 1

    package var traceHigh: UInt64
    package var traceLow: UInt64
    package var span: UInt64
    package var flags: UInt8

    package init(traceHigh: UInt64, traceLow: UInt64, span: UInt64, flags: UInt8) {
        self.traceHigh = traceHigh
        self.traceLow = traceLow
        self.span = span
        self.flags = flags
    }

    /// Reads a value; nil where it must not be passed on (``isValid(_:)``).
    package init?(_ value: UnsafeRawBufferPointer) {
        guard Self.isValid(value) else { return nil }
        func number(_ range: Range<Int>) -> UInt64 {
            value[range].reduce(0) { $0 << 4 | UInt64($1 < UInt8(ascii: "a") ? $1 &- UInt8(ascii: "0") : $1 &- 87) }
        }
        self.init(
            traceHigh: number(3..<19),
            traceLow: number(19..<35),
            span: number(36..<52),
            flags: UInt8(number(53..<55))
        )
    }

    package var isSampled: Bool { flags & Self.sampled != 0 }

    /// 32 digits.
    package var traceID: String { Self.hex(traceHigh) + Self.hex(traceLow) }

    /// 16 digits.
    package var spanID: String { Self.hex(span) }

    package static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// Whether a value may be passed on (§3.2.2): `version-traceid-parentid-flags` in lower-case hexadecimal, neither id all zero, version not
    /// `ff`; of a version after 00 there may be more behind a hyphen.
    package static func isValid(_ value: UnsafeRawBufferPointer) -> Bool {
        guard value.count >= 55 else { return false }
        for index in 0..<55 {
            let isHyphen = value[index] == UInt8(ascii: "-")
            switch index {
            case 2, 35, 52: guard isHyphen else { return false }
            default: guard isLowerHex(value[index]) else { return false }
            }
        }
        guard value[3..<35].contains(where: { $0 != UInt8(ascii: "0") }),
            value[36..<52].contains(where: { $0 != UInt8(ascii: "0") })
        else { return false }
        let isVersion00 = value[0] == UInt8(ascii: "0") && value[1] == UInt8(ascii: "0")
        if isVersion00 { return value.count == 55 }
        if value[0] == UInt8(ascii: "f"), value[1] == UInt8(ascii: "f") { return false }
        return value.count == 55 || value[55] == UInt8(ascii: "-")
    }

    /// Writes the value of a trace that begins here. It is marked as sampled: to samplers that follow their parent a 00 would mean that
    /// nobody wants this trace, and they would record nothing at all.
    package static func begin(into buffer: inout ByteBuffer, generator: inout some RandomNumberGenerator) {
        buffer.writeText("00-")
        buffer.writeLowerHex(generator.next())
        buffer.writeLowerHex(generator.next() | 1)
        buffer.writeText("-")
        buffer.writeLowerHex(generator.next() | 1)
        buffer.writeText("-01")
    }

    private static func isLowerHex(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || byte &- UInt8(ascii: "a") < 6
    }
}

extension TraceParent: CustomStringConvertible {
    /// As the field's value, of version 00, which has no flag but ``sampled``.
    package var description: String { "00-\(traceID)-\(spanID)-0\(flags & Self.sampled)" }
}

extension ByteBuffer {
    /// Writes 16 digits.
    fileprivate mutating func writeLowerHex(_ number: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { digits in
            for index in 0..<16 {
                digits[index] = HexDigits.lower(UInt8(truncatingIfNeeded: number >> UInt64(60 - 4 * index)) & 15)
            }
            writeRaw(UnsafeRawBufferPointer(digits))
        }
    }
}

enum HexDigits {
    /// The digit of a number below 16.
    @inline(__always)
    static func lower(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
