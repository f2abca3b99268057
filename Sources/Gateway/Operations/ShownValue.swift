import Admin

/// How commands write values for people: short, with their units. Programs read `--json`.
enum ShownValue {
    /// `0.4 ms`, `12 ms`, `3.2 s`, `5m 12s`, `3h 05m`, `2d 07h`.
    static func duration(_ seconds: Double) -> String {
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        switch seconds {
        case ..<0: return "-" + duration(-seconds)
        case ..<0.001: return "\(oneDigit(seconds * 1000)) ms"
        case ..<0.9995: return "\(Int((seconds * 1000).rounded())) ms"
        case ..<59.95: return "\(oneDigit(seconds)) s"
        default: break
        }
        let whole = Int(seconds.rounded())
        if whole < 3600 { return "\(whole / 60)m \(two(whole % 60))s" }
        if whole < 86_400 { return "\(whole / 3600)h \(two(whole % 3600 / 60))m" }
        return "\(whole / 86_400)d \(two(whole % 86_400 / 3600))h"
    }

    static func duration(_ seconds: Double?) -> String { seconds.map { duration($0) } ?? "" }

    /// `2`, `0.5`.
    static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\((value * 1000).rounded() / 1000)"
    }

    /// `cpus=2 gpus=1 memory_gb=8`, without what is 0.
    static func needs(_ needs: NeedsPayload) -> String {
        let parts = [("cpus", needs.cpus), ("gpus", needs.gpus), ("memory_gb", needs.memoryGb)].filter { $0.1 != 0 }
        return parts.isEmpty ? "nothing" : parts.map { "\($0.0)=\(number($0.1))" }.joined(separator: " ")
    }

    /// `512 B`, `64 KiB`, `1.5 MiB`.
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 { return "\(unit == "B" ? "\(count)" : oneDigit(value)) \(unit)" }
            value /= 1024
        }
        return "\(oneDigit(value)) TiB"
    }

    /// `2026-11-24 21:47:02` of RFC 3339's UTC.
    static func time(_ text: String) -> String {
        guard text.count >= 19 else { return text }
        return text.prefix(19).map { $0 == "T" ? " " : String($0) }.joined()
    }

    static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    private static func oneDigit(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
