import Core

extension SettingType where Value == Int {
    /// A whole number within bounds.
    static func integer(_ placeholder: String = "N", in bounds: ClosedRange<Int>) -> SettingType {
        SettingType(
            placeholder,
            accepted: "a whole number from \(bounds.lowerBound) to \(bounds.upperBound)",
            parse: { text throws(SettingRejection) in
                guard let value = Int(text), bounds.contains(value) else { throw SettingRejection() }
                return value
            },
            format: { String($0) }
        )
    }

    /// A TCP port; 0 lets the system choose a free one.
    static var port: SettingType {
        SettingType(
            "PORT",
            accepted: "a port from 0 to 65535 (0: any that is free)",
            parse: { text throws(SettingRejection) in
                if text.hasPrefix("tcp://") {
                    throw SettingRejection(
                        "Kubernetes sets such a variable for a Service of this name: give the pod `enableServiceLinks: false`"
                    )
                }
                guard let value = Int(text), (0...65535).contains(value) else { throw SettingRejection() }
                return value
            },
            format: { String($0) }
        )
    }

    /// Bytes, plain or with a unit, within bounds.
    static func size(in bounds: ClosedRange<Int>) -> SettingType {
        let range = "\(ByteSize.format(bounds.lowerBound)) to \(ByteSize.format(bounds.upperBound))"
        return SettingType(
            "SIZE",
            accepted: "bytes, or a whole number with kB, MB, GB, KiB, MiB, GiB or TiB; from \(range)",
            parse: { text throws(SettingRejection) in
                guard let value = ByteSize.parse(text), bounds.contains(value) else { throw SettingRejection() }
                return value
            },
            format: ByteSize.format
        )
    }
}

extension SettingType where Value == Bool {
    static var boolean: SettingType {
        SettingType(
            "true|false",
            accepted: "true or false",
            parse: { text throws(SettingRejection) in
                switch text.lowercased() {
                case "true", "yes", "on", "1": return true
                case "false", "no", "off", "0": return false
                default: throw SettingRejection()
                }
            },
            format: { String($0) }
        )
    }
}

extension SettingType where Value == String {
    /// Text of at most 4,096 bytes without control characters. Empty text is refused.
    static func text(_ placeholder: String, accepted: String) -> SettingType {
        SettingType(
            placeholder,
            accepted: accepted,
            parse: { text throws(SettingRejection) in
                guard !text.isEmpty else { throw SettingRejection("it is empty") }
                guard text.utf8.count <= 4096 else { throw SettingRejection("it is longer than 4096 bytes") }
                guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                    throw SettingRejection("it has control characters")
                }
                return text
            },
            format: { $0 }
        )
    }

    static var path: SettingType { text("PATH", accepted: "a path") }

    /// An address to listen on.
    static var host: SettingType {
        SettingType(
            "ADDRESS",
            accepted: "an IPv4 or IPv6 address, or a host name",
            parse: { text throws(SettingRejection) in
                var host = text[...]
                if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
                guard !host.isEmpty, host.utf8.count <= 253, isHost(host) else { throw SettingRejection() }
                return String(host)
            },
            format: { $0 }
        )
    }

    /// What one `Host` names: a host name or an address, without a port.
    static func isHost(_ text: some StringProtocol) -> Bool {
        let isAddress = text.contains(":")
        return !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
                    true
                case UInt8(ascii: "-"), UInt8(ascii: "_"): !isAddress
                case UInt8(ascii: ":"), UInt8(ascii: "%"): isAddress
                default: false
                }
            }
    }

    /// A field name (RFC 9110 §5.6.2: a token).
    static var fieldName: SettingType { token("NAME", accepted: "a header field's name") }

    /// One of the characters that tokens have, RFC 9110 §5.6.2.
    static func token(_ placeholder: String, accepted: String) -> SettingType {
        let marks = Set("!#$%&'*+-.^_`|~".utf8)
        return SettingType(
            placeholder,
            accepted: accepted,
            parse: { text throws(SettingRejection) in
                let isToken = text.utf8.allSatisfy {
                    marks.contains($0) || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0
                        || UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20
                }
                guard !text.isEmpty, text.utf8.count <= 256, isToken else { throw SettingRejection() }
                return text
            },
            format: { $0 }
        )
    }
}

extension SettingType where Value: RawRepresentable<String> & CaseIterable {
    /// One word of a closed list, in any case.
    static var word: SettingType {
        let words = Value.allCases.map(\.rawValue)
        return SettingType(
            words.joined(separator: "|"),
            accepted: words.count == 1 ? words[0] : "one of \(words.joined(separator: ", "))",
            parse: { text throws(SettingRejection) in
                guard let value = Value(rawValue: text.lowercased()) else { throw SettingRejection() }
                return value
            },
            format: { $0.rawValue }
        )
    }
}

/// Bytes as people write them.
enum ByteSize {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000),
        // As Kubernetes writes them.
        ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10),
        ("B", 1),
    ]

    /// `1048576`, `1MiB`, `1 MiB`; nil for what is not a whole number of a known unit, is negative or exceeds 64 bits.
    static func parse(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits) else { return nil }
        let unit = text[digits.endIndex...].trimmed
        guard !unit.isEmpty else { return number }
        guard let bytes = units.first(where: { $0.name.lowercased() == unit.lowercased() })?.bytes else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: bytes)
        return overflow ? nil : value
    }

    /// In the largest binary unit that divides it, else in bytes.
    static func format(_ bytes: Int) -> String {
        for (name, size) in units.prefix(4) where bytes >= size && bytes % size == 0 { return "\(bytes / size)\(name)" }
        return String(bytes)
    }
}
