/// Reads JSON (RFC 8259) into nodes that know their lines: libyaml would take most JSON too, but neither `"\ud83d\ude00"` nor
/// keys over 1,024 characters.
struct JSONReader {
    private let bytes: [UInt8]
    private let limits: DocumentLimits
    private var index = 0
    private var line = 1
    private var lineStart = 0
    private var depth = 0
    private var values = 0

    private init(_ text: String, limits: DocumentLimits) {
        bytes = Array(text.utf8)
        self.limits = limits
    }

    static func read(_ text: String, limits: DocumentLimits) throws(DocumentProblem) -> DocumentNode {
        var reader = JSONReader(text, limits: limits)
        reader.skipSpace()
        let root = try reader.readValue()
        reader.skipSpace()
        guard reader.index == reader.bytes.count else { throw reader.expected("the end of the document") }
        return root
    }

    private mutating func readValue() throws(DocumentProblem) -> DocumentNode {
        let (line, column) = (line, index - lineStart + 1)
        values += 1
        guard values <= limits.values else { throw problem("more than \(limits.values) values", .tooLarge) }
        let value: DocumentNode.Value
        switch peek {
        case UInt8(ascii: "{"): value = try nested { reader throws(DocumentProblem) in try reader.readMapping() }
        case UInt8(ascii: "["): value = try nested { reader throws(DocumentProblem) in try reader.readSequence() }
        case UInt8(ascii: "\""): value = .scalar(try readString(), isPlain: false)
        case nil: throw expected("a value")
        default: value = .scalar(try readPlain(), isPlain: true)
        }
        return DocumentNode(value: value, line: line, column: column)
    }

    private mutating func nested(
        _ read: (inout JSONReader) throws(DocumentProblem) -> DocumentNode.Value
    ) throws(DocumentProblem) -> DocumentNode.Value {
        depth += 1
        guard depth <= limits.depth else { throw problem("nested deeper than \(limits.depth)", .tooLarge) }
        index += 1
        skipSpace()
        let value = try read(&self)
        depth -= 1
        return value
    }

    private mutating func readMapping() throws(DocumentProblem) -> DocumentNode.Value {
        var pairs: [(key: String, value: DocumentNode)] = []
        var keys: Set<String> = []
        if take("}") { return .mapping(pairs) }
        repeat {
            skipSpace()
            guard peek == UInt8(ascii: "\"") else { throw expected("a key in double quotes") }
            let start = index
            let key = try readString()
            guard keys.insert(key).inserted else {
                index = start
                throw problem("the key \"\(key)\" is there twice")
            }
            skipSpace()
            guard take(":") else { throw expected("\":\"") }
            skipSpace()
            pairs.append((key, try readValue()))
            skipSpace()
        } while take(",")
        guard take("}") else { throw expected("\",\" or \"}\"") }
        return .mapping(pairs)
    }

    private mutating func readSequence() throws(DocumentProblem) -> DocumentNode.Value {
        var elements: [DocumentNode] = []
        if take("]") { return .sequence(elements) }
        repeat {
            skipSpace()
            elements.append(try readValue())
            skipSpace()
        } while take(",")
        guard take("]") else { throw expected("\",\" or \"]\"") }
        return .sequence(elements)
    }

    /// `true`, `false`, `null` or a number.
    private mutating func readPlain() throws(DocumentProblem) -> String {
        let start = index
        while let byte = peek, isPlain(byte) { index += 1 }
        let word = String(decoding: bytes[start..<index], as: UTF8.self)
        if ["true", "false", "null"].contains(word) { return word }
        guard isNumber(bytes[start..<index]) else {
            index = start
            throw expected("a value")
        }
        return word
    }

    private func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// RFC 8259 §6: `-`? digits without a leading zero, a fraction, an exponent.
    private func isNumber(_ word: ArraySlice<UInt8>) -> Bool {
        var rest = word
        func digits() -> Int {
            let count = rest.prefix { $0 >= 0x30 && $0 <= 0x39 }.count
            return count
        }
        if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
        let whole = digits()
        guard whole > 0, whole == 1 || rest.first != UInt8(ascii: "0") else { return false }
        rest = rest.dropFirst(whole)
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            let fraction = digits()
            guard fraction > 0 else { return false }
            rest = rest.dropFirst(fraction)
        }
        if let letter = rest.first, letter | 0x20 == UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            let exponent = digits()
            guard exponent > 0 else { return false }
            rest = rest.dropFirst(exponent)
        }
        return rest.isEmpty
    }

    private mutating func readString() throws(DocumentProblem) -> String {
        index += 1
        var text: [UInt8] = []
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                try readEscape(into: &text)
            case 0..<0x20:
                throw problem(
                    "a control character inside a string; write it as \\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
                )
            default:
                text.append(byte)
                index += 1
            }
        }
        throw problem("a string without its closing quote")
    }

    private mutating func readEscape(into text: inout [UInt8]) throws(DocumentProblem) {
        index += 1
        guard let byte = peek else { throw problem("a string without its closing quote") }
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            index += 1
            var unit = UInt32(try readHex())
            if unit & 0xFC00 == 0xD800, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
                bytes[index + 1] == UInt8(ascii: "u")
            {
                index += 2
                let low = UInt32(try readHex())
                guard low & 0xFC00 == 0xDC00 else { throw problem("half of a surrogate pair") }
                unit = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw problem("half of a surrogate pair") }
            text.append(contentsOf: UTF8.encode(scalar)!)
            return
        default: throw problem("an unknown escape in a string")
        }
        index += 1
    }

    private mutating func readHex() throws(DocumentProblem) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw expected("four hexadecimal digits after \\u")
            }
            unit = unit << 4 | UInt16(digit)
            index += 1
        }
        return unit
    }

    private var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek {
            switch byte {
            case 0x0A:
                index += 1
                line += 1
                lineStart = index
            case 0x20, 0x09, 0x0D: index += 1
            default: return
            }
        }
    }

    private func expected(_ what: String) -> DocumentProblem {
        guard index < bytes.count else { return problem("it ends where \(what) is expected") }
        return problem("\(what) is expected here")
    }

    private func problem(_ message: String, _ code: OpenAPIError.Code = .syntax) -> DocumentProblem {
        DocumentProblem(code: code, line: line, column: index - lineStart + 1, message: message)
    }
}
