import Core
import Logging
import NIOCore

extension SettingType where Value == ResourceVector {
    /// `cpus=1, gpus=0, memory_gb=1`, fractions allowed; what is not named is 0.
    static var resources: SettingType {
        SettingType(
            "RESOURCES",
            accepted: "`cpus=1, gpus=0, memory_gb=1`: each at most once, from 0 to 1000000, fractions allowed",
            parse: { text throws(SettingRejection) in
                var amounts: [ResourceDimension: Double] = [:]
                for item in text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed) {
                    let parts = item.split(separator: "=", maxSplits: 1).map(\.trimmed)
                    guard parts.count == 2, let dimension = ResourceDimension(rawValue: parts[0]) else {
                        throw SettingRejection("\(quoted(item)) is not cpus=, gpus= or memory_gb= with a number")
                    }
                    guard let amount = decimal(parts[1]), amount <= ResourceVector.maximumUnits else {
                        throw SettingRejection("\(quoted(item)) has no number from 0 to 1000000")
                    }
                    guard amounts.updateValue(amount, forKey: dimension) == nil else {
                        throw SettingRejection("\(parts[0]) is named twice")
                    }
                }
                let vector = ResourceVector(
                    needingCPUs: amounts[.cpus] ?? 0,
                    gpus: amounts[.gpus] ?? 0,
                    memoryGB: amounts[.memory] ?? 0
                )
                guard let vector else { throw SettingRejection() }
                return vector
            },
            format: { $0.description }
        )
    }

    /// A decimal number without sign or exponent.
    static func decimal(_ text: String) -> Double? {
        guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: ".") })
        else { return nil }
        return Double(text)
    }
}

extension SettingType where Value == PodDescription {
    /// `http://10.0.0.7:8080`, `https://pod`, `10.0.0.7:8080`.
    static var backend: SettingType {
        SettingType(
            "URL",
            accepted: "http:// or https:// URLs of hosts, or host:port",
            parse: { text throws(SettingRejection) in
                var rest = text[...]
                var scheme = PodDescription.Scheme.http
                if let end = rest.firstRange(of: "://") {
                    guard let named = PodDescription.Scheme(rawValue: rest[..<end.lowerBound].lowercased()) else {
                        throw SettingRejection("the scheme is neither http nor https")
                    }
                    scheme = named
                    rest = rest[end.upperBound...]
                }
                if rest.hasSuffix("/") { rest = rest.dropLast() }
                guard !rest.contains(where: { "/?#".contains($0) }) else {
                    throw SettingRejection("a pod has no path, query or fragment")
                }
                guard !rest.contains("@") else { throw SettingRejection("a pod has no user and password") }
                let (host, port) = try hostAndPort(rest)
                let number = port.map { Int($0) ?? 0 } ?? (scheme == .https ? 443 : 80)
                guard (1...65535).contains(number) else { throw SettingRejection("the port is not from 1 to 65535") }
                return PodDescription(scheme: scheme, host: host.lowercased(), port: number)
            },
            format: { $0.url }
        )
    }

    private static func hostAndPort(
        _ text: Substring
    ) throws(SettingRejection) -> (host: String, port: Substring?) {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw SettingRejection("`[` without `]`") }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":"), host.contains(":") else { throw SettingRejection() }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            guard !host.contains(":") else { throw SettingRejection("an IPv6 address goes into brackets") }
        }
        guard SettingType<String>.isHost(host), host.utf8.count <= 253 else {
            throw SettingRejection("there is no host name or address in it")
        }
        return (String(host), port)
    }
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// The address as it was written.
    var address: String
    /// Leading bits that count: 0 … 32, or … 128.
    var prefixLength: Int

    var description: String { "\(address)/\(prefixLength)" }
}

extension SettingType where Value == AddressRange {
    static var addressRange: SettingType {
        SettingType(
            "CIDR",
            accepted: "addresses or ranges such as 10.0.0.0/8 or fd00::/8",
            parse: { text throws(SettingRejection) in
                let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
                guard let address = try? SocketAddress(ipAddress: String(parts[0]), port: 0) else {
                    throw SettingRejection("no IPv4 or IPv6 address")
                }
                let bits = if case .v6 = address { 128 } else { 32 }
                guard parts.count == 2 else { return AddressRange(address: text, prefixLength: bits) }
                guard let length = Int(parts[1]), (0...bits).contains(length) else {
                    throw SettingRejection("the prefix length is not from 0 to \(bits)")
                }
                return AddressRange(address: String(parts[0]), prefixLength: length)
            },
            format: { $0.description }
        )
    }
}

/// Which answers get a line in the log.
enum AccessLogRule: Hashable, Sendable {
    case off
    /// Those of 500 and above, and those that broke off.
    case errors
    /// Every Nth, and all errors.
    case sample(Int)
    case all
}

extension SettingType where Value == AccessLogRule {
    static var accessLog: SettingType {
        SettingType(
            "off|errors|sample:N|all",
            accepted: "one of off, errors, sample:N (every Nth request, N from 1 to 1000000, and errors), all",
            parse: { text throws(SettingRejection) in
                switch text.lowercased() {
                case "off": return .off
                case "errors": return .errors
                case "all": return .all
                case let word where word.hasPrefix("sample:"):
                    guard let every = Int(word.dropFirst(7)), (1...1_000_000).contains(every) else {
                        throw SettingRejection()
                    }
                    return .sample(every)
                default: throw SettingRejection()
                }
            },
            format: { rule in
                switch rule {
                case .off: "off"
                case .errors: "errors"
                case .sample(let every): "sample:\(every)"
                case .all: "all"
                }
            }
        )
    }
}
