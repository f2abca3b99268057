import Glibc

/// Reads JSON (RFC 8259) from bytes in one pass, without building anything: for small answers that are read often.
///
/// Strict in its grammar, but that the UTF-8 inside strings is not looked at, and that a name with escapes equals no name. Lives no
/// longer than its bytes.
struct JSONScanner {
    /// Values nested deeper are refused, so that no answer can use up the stack.
    static let maximumDepth = 32

    /// What begins at the position.
    enum Kind {
        case object
        case array
        case string
        case number
        case bool
        case null
    }

    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var depth = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    // MARK: Values

    /// What begins here, after white space.
    mutating func kind() throws(PodsError) -> Kind {
        skipSpace()
        guard position < bytes.count else { throw invalid("it ends too early") }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        default: throw invalid("no value begins there")
        }
    }

    /// Reads an object; `member` is called with each name and reads its value, all of it.
    mutating func object(
        _ member: (inout JSONScanner, _ name: UnsafeRawBufferPointer) throws(PodsError) -> Void
    ) throws(PodsError) {
        try enter(UInt8(ascii: "{"))
        defer { depth -= 1 }
        if taken(UInt8(ascii: "}")) { return }
        repeat {
            skipSpace()
            let name = try string()
            guard taken(UInt8(ascii: ":")) else { throw invalid("a colon is missing") }
            try member(&self, name)
        } while taken(UInt8(ascii: ","))
        guard taken(UInt8(ascii: "}")) else { throw invalid("a comma or a closing brace is missing") }
    }

    /// Reads an array; `element` reads each value, all of it.
    mutating func array(_ element: (inout JSONScanner) throws(PodsError) -> Void) throws(PodsError) {
        try enter(UInt8(ascii: "["))
        defer { depth -= 1 }
        if taken(UInt8(ascii: "]")) { return }
        repeat { try element(&self) } while taken(UInt8(ascii: ","))
        guard taken(UInt8(ascii: "]")) else { throw invalid("a comma or a closing bracket is missing") }
    }

    /// Reads a string: the bytes between its quotes, escapes as they are.
    mutating func string() throws(PodsError) -> UnsafeRawBufferPointer {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
            throw invalid("a string is missing")
        }
        let start = position + 1
        var end = start
        while end < bytes.count {
            switch bytes[end] {
            case UInt8(ascii: "\""):
                position = end + 1
                return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            case UInt8(ascii: "\\"):
                position = end
                end += try escapeLength()
            case 0..<0x20:
                position = end
                throw invalid("a control character in a string")
            default:
                end += 1
            }
        }
        throw invalid("a string does not end")
    }

    /// Reads a number; infinite where it is too large for a double.
    mutating func number() throws(PodsError) -> Double {
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        let whole = digits()
        guard whole.count > 0, whole.count == 1 || bytes[whole.start] != UInt8(ascii: "0") else {
            throw invalid("not a number")
        }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            guard digits().count > 0 else { throw invalid("not a number") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            isInteger = false
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard digits().count > 0 else { throw invalid("not a number") }
        }
        if isInteger, whole.count <= 15 {
            let value = bytes[whole.start..<whole.start + whole.count].reduce(0) { $0 * 10 + Int($1 & 15) }
            return isNegative ? -Double(value) : Double(value)
        }
        return Double(String(decoding: bytes[start..<position], as: UTF8.self)) ?? .infinity
    }

    /// Passes over a value of any kind.
    mutating func skip() throws(PodsError) {
        switch try kind() {
        case .object: try object { scanner, _ throws(PodsError) in try scanner.skip() }
        case .array: try array { scanner throws(PodsError) in try scanner.skip() }
        case .string: _ = try string()
        case .number: _ = try number()
        case .bool:
            guard word("true") || word("false") else { throw invalid("no value begins there") }
        case .null:
            guard word("null") else { throw invalid("no value begins there") }
        }
    }

    /// Checks that nothing but white space is left.
    mutating func end() throws(PodsError) {
        skipSpace()
        guard position == bytes.count else { throw invalid("something follows its end") }
    }

    func invalid(_ why: String) -> PodsError {
        PodsError(.invalidReport, "not JSON: \(why) (byte \(position))")
    }

    // MARK: Tokens

    private mutating func enter(_ byte: UInt8) throws(PodsError) {
        guard depth < Self.maximumDepth else { throw invalid("more than \(Self.maximumDepth) values in one another") }
        guard taken(byte) else { throw invalid("an object or an array is missing") }
        depth += 1
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    /// Passes over a byte, after white space, where it is that.
    private mutating func taken(_ byte: UInt8) -> Bool {
        skipSpace()
        return take(byte)
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func digits() -> (start: Int, count: Int) {
        let start = position
        while position < bytes.count, bytes[position] &- 0x30 < 10 { position += 1 }
        return (start, position - start)
    }

    private mutating func word(_ text: StaticString) -> Bool {
        let end = position + text.utf8CodeUnitCount
        guard end <= bytes.count,
            memcmp(bytes.baseAddress! + position, text.utf8Start, text.utf8CodeUnitCount) == 0
        else { return false }
        position = end
        return true
    }

    /// The length of the escape at the position (RFC 8259 §7).
    private func escapeLength() throws(PodsError) -> Int {
        guard position + 1 < bytes.count else { throw invalid("a string does not end") }
        switch bytes[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return 2
        case UInt8(ascii: "u"):
            guard position + 6 <= bytes.count,
                bytes[position + 2..<position + 6].allSatisfy({ Self.isHexadecimal($0) })
            else { throw invalid("an unknown escape") }
            return 6
        default:
            throw invalid("an unknown escape")
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 6
    }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes are that text.
    func equals(_ text: StaticString) -> Bool {
        count == text.utf8CodeUnitCount && (count == 0 || memcmp(baseAddress!, text.utf8Start, count) == 0)
    }
}
