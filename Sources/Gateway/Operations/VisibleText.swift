/// Text that came from a client, for a terminal: what is not printable is written out, so that nothing of it moves the cursor, changes the
/// title, or turns other text around.
enum VisibleText {
    /// On one line.
    static func line(_ text: some StringProtocol) -> String { text.unicodeScalars.reduce(into: "") { $0 += shown($1) } }

    /// On as many lines as it has; tabs stay.
    static func block(_ text: some StringProtocol) -> String {
        text.unicodeScalars.reduce(into: "") { $0 += $1 == "\n" || $1 == "\t" ? String($1) : shown($1) }
    }

    private static func shown(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
            return "\\u{\(String(scalar.value, radix: 16))}"
        default: return String(scalar)
        }
    }

    /// Columns of a terminal: none for marks that sit on the letter before, two for East Asian wide ones and pictures (UAX #11).
    static func width(_ text: some StringProtocol) -> Int { text.unicodeScalars.reduce(0) { $0 + width($1) } }

    /// At most so many columns, with an ellipsis where something is cut off.
    static func cut(_ text: String, to columns: Int) -> String {
        guard width(text) > columns else { return text }
        guard columns > 1 else { return columns == 1 ? "…" : "" }
        var used = 0
        var kept = ""
        for character in text {
            used += width(String(character))
            if used > columns - 1 { break }
            kept.append(character)
        }
        return kept + "…"
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        if scalar.isASCII { return 1 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
            0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
