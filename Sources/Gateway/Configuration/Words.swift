extension StringProtocol {
    /// Without ASCII white space at both ends.
    var trimmed: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
        return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}

/// Text from outside as it appears in an error: in quotes, on one line, at most 80 characters of it.
func quoted(_ text: String) -> String {
    var result = "\""
    for character in text.prefix(80).unicodeScalars {
        switch character {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case _
        where character.properties.generalCategory == .control || character.value == 0x2028
            || character.value == 0x2029 || character.properties.generalCategory == .format:
            result += "\\u{\(String(character.value, radix: 16))}"
        default: result.unicodeScalars.append(character)
        }
    }
    return result + (text.count > 80 ? "…\"" : "\"")
}
