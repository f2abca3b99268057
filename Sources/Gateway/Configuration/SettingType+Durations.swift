extension SettingType where Value == Duration {
    /// Seconds with fractions, or a number with `ms`, `s`, `m`, `h` or `d`, within bounds.
    static func duration(in bounds: ClosedRange<Duration>) -> SettingType {
        let range = "\(DurationText.format(bounds.lowerBound)) to \(DurationText.format(bounds.upperBound))"
        return SettingType(
            "SECONDS",
            accepted: "seconds, or a number with ms, s, m, h or d; from \(range)",
            parse: { text throws(SettingRejection) in
                guard let value = DurationText.parse(text), bounds.contains(value) else { throw SettingRejection() }
                return value
            },
            format: DurationText.format
        )
    }
}

/// Durations as people write them, exact to the microsecond.
enum DurationText {
    private static let units: [(name: String, microseconds: Int64)] = [
        ("ms", 1000), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000),
    ]

    /// `30`, `2.5`, `500ms`, `30s`, `5m`, `24h`, `7d`; nil for anything else, for more than 12 digits before the point and for
    /// what is finer than a microsecond.
    static func parse(_ text: String) -> Duration? {
        let number = text.prefix { ($0.isASCII && $0.isNumber) || $0 == "." }
        let unit = text[number.endIndex...].trimmed
        guard let scale = unit.isEmpty ? 1_000_000 : units.first(where: { $0.name == unit.lowercased() })?.microseconds
        else { return nil }
        let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = Int64(parts[0].isEmpty ? "x" : parts[0]), parts[0].count <= 12 else { return nil }
        var microseconds = whole.multipliedReportingOverflow(by: scale)
        if parts.count == 2 {
            guard (1...9).contains(parts[1].count), let fraction = Int64(parts[1]) else { return nil }
            let (scaled, overflow) = fraction.multipliedReportingOverflow(by: scale)
            var divisor: Int64 = 1
            for _ in parts[1] { divisor *= 10 }
            guard !overflow, scaled % divisor == 0 else { return nil }
            let carried = microseconds.overflow
            microseconds = microseconds.partialValue.addingReportingOverflow(scaled / divisor)
            microseconds.overflow = microseconds.overflow || carried
        }
        return microseconds.overflow ? nil : .microseconds(microseconds.partialValue)
    }

    /// Whole days and hours as such from an hour up, else decimal seconds.
    static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        if attoseconds == 0, seconds >= 3600 {
            if seconds % 86_400 == 0, seconds > 86_400 { return "\(seconds / 86_400)d" }
            if seconds % 3600 == 0 { return "\(seconds / 3600)h" }
        }
        guard attoseconds != 0 else { return String(seconds) }
        var digits = String(attoseconds / 1_000_000_000_000 + 1_000_000).dropFirst()
        while digits.last == "0" { digits = digits.dropLast() }
        return "\(seconds).\(digits)"
    }
}
