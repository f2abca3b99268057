/// Writes metrics as Prometheus reads them: the text exposition format, version 0.0.4
/// (prometheus.io/docs/instrumenting/exposition_formats).
package enum MetricsText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package static func write(_ families: [MetricFamily]) -> String {
        var text = ""
        for family in families where !family.series.isEmpty {
            text += "# HELP \(family.name) \(escaped(family.help, quotes: false))\n"
            text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
            for series in family.series { write(series, of: family.name, into: &text) }
        }
        return text
    }

    private static func write(_ series: MetricFamily.Series, of name: String, into text: inout String) {
        let labels = series.labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }.joined(separator: ",")
        switch series.value {
        case .number(let value):
            text += line(name, labels, number(value))
        case .histogram(let value):
            let separator = labels.isEmpty ? "" : ","
            var count = 0
            for (index, bound) in (value.bounds + [.infinity]).enumerated() {
                count += value.counts[index]
                text += line("\(name)_bucket", "\(labels)\(separator)le=\"\(number(bound))\"", "\(count)")
            }
            text += line("\(name)_sum", labels, number(value.sum))
            text += line("\(name)_count", labels, "\(count)")
        }
    }

    private static func line(_ name: String, _ labels: String, _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels)} \(value)\n"
    }

    /// Backslashes and ends of lines, in label values quotes too.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        guard text.utf8.contains(where: { [UInt8(ascii: "\\"), UInt8(ascii: "\n"), UInt8(ascii: "\"")].contains($0) })
        else { return text }
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    /// A number as Go's ParseFloat reads it; whole ones without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value == value.rounded(), abs(value) < 0x1p53 { return "\(Int64(value))" }
        return "\(value)"
    }
}
