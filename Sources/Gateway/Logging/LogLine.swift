import Logging

/// How an event becomes a line. Nothing that a client sends can end the line, begin another field or reach the terminal as a
/// control sequence.
enum LogLine {
    /// The longest that one value may become, in characters; what is cut is marked with `…`.
    static let maximumValue = 2048

    /// `2026-11-23T11:36:06.123Z info gateway: listening address=0.0.0.0:8080`
    static func text(
        time: LogTime,
        level: Logger.Level,
        label: String,
        message: String,
        metadata: Logger.Metadata
    ) -> String {
        var line = "\(time) \(level.rawValue) \(label): "
        escape(message, into: &line, quotes: false)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " "
            escapeKey(key, into: &line)
            line += "="
            let text = describe(value)
            if text.isEmpty || text.unicodeScalars.contains(where: needsQuotes) {
                line += "\""
                escape(text, into: &line, quotes: true)
                line += "\""
            } else {
                escape(text, into: &line, quotes: false)
            }
        }
        return line + "\n"
    }

    /// `{"time":…,"level":…,"logger":…,"message":…,"pod":…}`: metadata beside the four; one of their names gets a `_` in front. What was
    /// logged as a number or a truth value is one.
    static func json(
        time: LogTime,
        level: Logger.Level,
        label: String,
        message: String,
        metadata: Logger.Metadata
    ) -> String {
        var line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"logger\":"
        string(label, into: &line)
        line += ",\"message\":"
        string(message, into: &line)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += ","
            string(reserved.contains(key) ? "_\(key)" : key, into: &line)
            line += ":"
            json(value, into: &line)
        }
        return line + "}\n"
    }

    private static let reserved: Set = ["time", "level", "logger", "message"]

    private static func describe(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .string(let text): text
        case .stringConvertible(let text): text.description
        case .array(let items): "[\(items.map(describe).joined(separator: ","))]"
        case .dictionary(let items):
            "{\(items.sorted { $0.key < $1.key }.map { "\($0.key):\(describe($0.value))" }.joined(separator: ","))}"
        }
    }

    private static func json(_ value: Logger.MetadataValue, into line: inout String) {
        switch value {
        case .string(let text): string(text, into: &line)
        case .stringConvertible(let number as Int): line += "\(number)"
        case .stringConvertible(let number as Double) where number.isFinite: line += "\(number)"
        case .stringConvertible(let isSo as Bool): line += isSo ? "true" : "false"
        case .stringConvertible(let text): string(text.description, into: &line)
        case .array(let items):
            line += "["
            for (index, item) in items.enumerated() {
                if index > 0 { line += "," }
                json(item, into: &line)
            }
            line += "]"
        case .dictionary(let items):
            line += "{"
            for (index, item) in items.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line += "," }
                string(item.key, into: &line)
                line += ":"
                json(item.value, into: &line)
            }
            line += "}"
        }
    }

    private static func needsQuotes(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "=" || scalar == "\"" || scalar == "\\" || isUnprintable(scalar)
    }

    /// Control characters, line and paragraph separators, and what changes the direction of text.
    private static func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
        default: false
        }
    }

    private static func escapeKey(_ key: String, into line: inout String) {
        for scalar in key.unicodeScalars.prefix(128) {
            line.unicodeScalars.append(needsQuotes(scalar) ? "_" : scalar)
        }
    }

    private static func escape(_ text: String, into line: inout String, quotes: Bool) {
        var count = 0
        for scalar in text.unicodeScalars {
            count += 1
            guard count <= maximumValue else {
                line += "…"
                return
            }
            switch scalar {
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case "\\": line += "\\\\"
            case "\"" where quotes: line += "\\\""
            case _ where isUnprintable(scalar): line += "\\u{\(String(scalar.value, radix: 16))}"
            default: line.unicodeScalars.append(scalar)
            }
        }
    }

    /// A JSON string (RFC 8259 §7).
    private static func string(_ text: String, into line: inout String) {
        line += "\""
        var count = 0
        for scalar in text.unicodeScalars {
            count += 1
            guard count <= maximumValue else {
                line += "…"
                break
            }
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case _ where isUnprintable(scalar):
                let digits = String(scalar.value, radix: 16)
                line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }
}
