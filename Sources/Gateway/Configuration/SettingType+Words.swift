import Core
import Discovery
import Ingress
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
        guard !text.isEmpty,
            text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: ".") })
        else { return nil }
        return Double(text)
    }
}

extension SettingType where Value == [PodDescription] {
    /// `http://10.0.0.7:8080,https://pod`, as ``Discovery/BackendList`` reads them.
    static var backends: SettingType {
        SettingType(
            "URL,…",
            accepted: "http://host:port or https://host:port, separated by commas, each once",
            parse: { text throws(SettingRejection) in
                do throws(DiscoveryError) {
                    return try BackendList.parse(text)
                } catch {
                    throw SettingRejection(error.message)
                }
            },
            format: { $0.map(\.url).joined(separator: ",") }
        )
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

extension SettingType where Value == AccessLogMode {
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

extension SettingType where Value == [String] {
    /// Bearer tokens, one a line: 16 … 4096 visible ASCII characters each. What is not accepted is not told.
    static var tokens: SettingType {
        SettingType(
            "TOKEN",
            accepted: "16 to 4096 visible ASCII characters; several on a line each, at most 100",
            parse: { text throws(SettingRejection) in
                let tokens = text.split(whereSeparator: \.isNewline).map(\.trimmed).filter { !$0.isEmpty }
                guard tokens.count <= 100 else { throw SettingRejection("\(tokens.count) lines") }
                for token in tokens
                where !(16...4096).contains(token.utf8.count) || !token.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
                {
                    throw SettingRejection("\(token.utf8.count) bytes")
                }
                return tokens
            },
            format: { $0.isEmpty ? "none" : $0.joined(separator: "\n") }
        )
    }
}
