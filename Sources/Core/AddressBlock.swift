import Glibc
package import NIOCore

/// A block of addresses (RFC 4632): `10.0.0.0/8`, `fd00::/8`, or one address by itself.
package struct AddressBlock: Hashable, Sendable {
    private let bytes: [UInt8]
    private let bits: Int

    /// nil where the text is no such block.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = try? SocketAddress(ipAddress: String(parts[0]), port: 0),
            let bytes = Self.bytes(of: address)
        else { return nil }
        guard parts.count == 2 else {
            self.bytes = bytes
            bits = bytes.count * 8
            return
        }
        // A block of addresses that carry an IPv4 address is written as IPv4.
        guard let bits = Int(parts[1]), (0...(parts[0].contains(":") ? 128 : 32)).contains(bits),
            bytes.count == 4 || parts[0].contains(":")
        else { return nil }
        let length = parts[0].contains(":") && bytes.count == 4 ? bits - 96 : bits
        guard length >= 0 else { return nil }
        self.bytes = bytes
        self.bits = length
    }

    /// Whether an address is one of these. An IPv4 address that came in over IPv6 (`::ffff:10.0.0.7`) counts as what it is.
    package func contains(_ address: SocketAddress) -> Bool {
        guard let other = Self.bytes(of: address), other.count == bytes.count else { return false }
        for index in 0..<(bits / 8) where bytes[index] != other[index] { return false }
        let rest = bits % 8
        return rest == 0 || (bytes[bits / 8] ^ other[bits / 8]) >> UInt8(8 - rest) == 0
    }

    /// 4 or 16 bytes; nil for an address of another kind.
    private static func bytes(of address: SocketAddress) -> [UInt8]? {
        // Where the address is in a sockaddr_in and a sockaddr_in6 (ip(7), ipv6(7)).
        let place: Range<Int>
        switch address.protocol {
        case .inet: place = 4..<8
        case .inet6: place = 8..<24
        default: return nil
        }
        let bytes = address.withSockAddr { pointer, size in
            Array(UnsafeRawBufferPointer(start: pointer, count: size)[place])
        }
        let isMapped =
            bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }

    /// An address as text, without the port and without the IPv6 prefix of an IPv4 address; empty where there is none.
    package static func text(of address: SocketAddress?) -> String {
        guard let text = address?.ipAddress else { return "" }
        let prefix = "::ffff:"
        return text.hasPrefix(prefix) && text.contains(".") ? String(text.dropFirst(prefix.count)) : text
    }
}

extension AddressBlock {
    /// Whether a host is reached from its own machine only: `localhost`, or an address of loopback, whichever way it is written
    /// (`127.1`, `0:0:0:0:0:0:0:1`; RFC 6761 §6.3, inet(3)). Nothing is looked up.
    package static func isLoopback(host: String) -> Bool {
        if host.lowercased() == "localhost" { return true }
        if let address = try? SocketAddress(ipAddress: host, port: 0) {
            return loopback.contains { $0.contains(address) }
        }
        // Numbers of IPv4 in fewer than four parts, as resolvers take them.
        return host.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            && UInt32(bigEndian: inet_addr(host)) >> 24 == 127
    }

    private static let loopback = ["127.0.0.0/8", "::1"].compactMap { AddressBlock($0) }

    /// What counts as one host: an IPv4 address, or the /64 of IPv6 addresses that a host has to itself (RFC 4291 §2.5.1). An IPv4 address
    /// that is written as IPv6 (`::ffff:10.0.0.7`) is what it is. Other text stays as it is.
    package static func host(of text: String) -> String {
        guard let address = address(in: text), let bytes = bytes(of: address) else { return text }
        guard bytes.count == 16 else { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = stride(from: 0, to: 8, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        return groups.map { String($0, radix: 16) }.joined(separator: ":") + "::/64"
    }

    /// The address that proxies write: with a port or without (`10.0.0.7:567`, `[fd00::1]:567`), which some add; nil for other text.
    package static func address(in text: some StringProtocol) -> SocketAddress? {
        var host = text[...]
        while let last = host.last, last == " " || last == "\t" { host.removeLast() }
        host = host.drop { $0 == " " || $0 == "\t" }
        var port = host.prefix(0)
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return nil }
            port = host[host.index(after: end)...]
            host = host[host.index(after: host.startIndex)..<end]
        } else if let colon = host.firstIndex(of: ":"), colon == host.lastIndex(of: ":") {
            port = host[colon...]
            host = host[..<colon]
        }
        guard port.isEmpty || port.first == ":" && UInt16(port.dropFirst()) != nil else { return nil }
        return try? SocketAddress(ipAddress: String(host), port: 0)
    }
}

extension [AddressBlock] {
    /// The client behind proxies of ours: the last address in `X-Forwarded-For` that is none of them. What comes before it anyone can have
    /// written. nil where the list says nothing.
    /// Without a port, where one is written with it, and IPv4 as IPv4.
    /// - Parameter values: Those of `X-Forwarded-For`, in the order of their lines.
    package func client(forwardedFor values: [String]) -> String? {
        var client: String?
        for member in values.flatMap({ $0.split(separator: ",") }).reversed() {
            guard let address = AddressBlock.address(in: member) else { break }
            client = AddressBlock.text(of: address)
            if !contains(where: { $0.contains(address) }) { break }
        }
        return client
    }
}
