extension StringProtocol {
    /// Without white space at both ends.
    func trimmingSpaces() -> String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}

/// What others wrote, as it may stand in a log line: in quotes, at most 60 characters of it, without control characters.
func quoted(_ text: String) -> String { "\"\(shown(text, atMost: 60))\"" }

/// What an API server or libcurl says of itself, as it may stand in a sentence of ours: on one line, bounded, without control characters.
/// - Parameter count: Unicode scalars that are kept.
func shown(_ text: String, atMost count: Int = 300) -> String {
    let kept = text.unicodeScalars.prefix(count + 1)
    let clean = kept.prefix(count).map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: "?"
        default: String(scalar)
        }
    }
    return clean.joined() + (kept.count > count ? "…" : "")
}
