/// Writes the small JSON texts of the gateway's own answers.
struct JSONText {
    private(set) var text = ""

    mutating func raw(_ part: String) {
        text += part
    }

    /// `"name":"value"`
    mutating func member(_ name: String, _ value: String) {
        string(name)
        text += ":"
        string(value)
    }

    /// A string with what RFC 8259 §7 wants escaped.
    mutating func string(_ value: String) {
        text += "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
