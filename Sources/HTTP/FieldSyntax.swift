/// Which bytes may stand where (RFC 9110 §5.5, §5.6.2; RFC 3986 §3.2.2).
enum ByteClass {
    static let token: UInt8 = 1
    /// VCHAR, obs-text, SP and HTAB.
    static let fieldValue: UInt8 = 2
    /// What a request target may hold: VCHAR without `#`.
    static let target: UInt8 = 4
    /// A reg-name (RFC 3986 §3.2.2), but for its `%`.
    static let host: UInt8 = 8
    static let hexDigit: UInt8 = 16

    /// The classes of each byte. Allocated once, for the life of the process: a Swift array's bounds check and retain cost more
    /// than the look-up.
    nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
        // `nonisolated(unsafe)`: written here before it is published, never after.
        let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        for byte in 0...255 { table[byte] = classes(of: UInt8(byte)) }
        return UnsafePointer(table)
    }()

    private static func classes(of byte: UInt8) -> UInt8 {
        let isAlphanumeric =
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) && byte < 128
        let isVisible = (0x21...0x7E).contains(byte)
        var classes: UInt8 = 0
        if isAlphanumeric || "!#$%&'*+-.^_`|~".utf8.contains(byte) { classes |= token }
        if isVisible || byte >= 0x80 || byte == 0x20 || byte == 0x09 { classes |= fieldValue }
        if isVisible, byte != UInt8(ascii: "#") { classes |= target }
        if isAlphanumeric || "-._~!$&'()*+,;=".utf8.contains(byte) { classes |= host }
        if "0123456789abcdefABCDEF".utf8.contains(byte) { classes |= hexDigit }
        return classes
    }
}

extension UnsafeRawBufferPointer {
    /// Whether every byte is of a class.
    @inline(__always)
    func allBytes(in byteClass: UInt8) -> Bool {
        let table = ByteClass.table
        var all: UInt8 = byteClass
        for byte in self { all &= table[Int(byte)] }
        return all != 0
    }

    /// Whether it is a token (RFC 9110 §5.6.2), such as a field name.
    var isToken: Bool { !isEmpty && allBytes(in: ByteClass.token) }

    /// Without the spaces and tabs around it.
    var trimmed: UnsafeRawBufferPointer {
        var (low, high) = (startIndex, endIndex)
        while low < high, self[low] == 0x20 || self[low] == 0x09 { low += 1 }
        while low < high, self[high - 1] == 0x20 || self[high - 1] == 0x09 { high -= 1 }
        return UnsafeRawBufferPointer(rebasing: self[low..<high])
    }
}

/// The syntax of `uri-host [":" port]` (RFC 9110 §7.2).
enum HostSyntax {
    /// Whether it is a host that is not empty, with or without a port.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let first = bytes.first else { return false }
        let hostEnd: Int
        if first == UInt8(ascii: "[") {
            guard let bracket = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let address = UnsafeRawBufferPointer(rebasing: bytes[1..<bracket])
            guard isIPv6(address) else { return false }
            hostEnd = bracket + 1
        } else {
            hostEnd = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.count
            guard isRegisteredName(UnsafeRawBufferPointer(rebasing: bytes[..<hostEnd])) else { return false }
        }
        guard hostEnd < bytes.count else { return true }
        guard bytes[hostEnd] == UInt8(ascii: ":") else { return false }
        let port = UnsafeRawBufferPointer(rebasing: bytes[(hostEnd + 1)...])
        guard !port.isEmpty else { return true }
        return Int(decimalDigits: port).map { $0 <= 65_535 } ?? false
    }

    private static func isRegisteredName(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard !bytes.isEmpty else { return false }
        if bytes.allBytes(in: ByteClass.host) { return true }
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%") {
                guard index + 2 < bytes.count, isHexDigit(bytes[index + 1]), isHexDigit(bytes[index + 2]) else {
                    return false
                }
                index += 3
            } else {
                guard ByteClass.table[Int(bytes[index])] & ByteClass.host != 0 else { return false }
                index += 1
            }
        }
        return true
    }

    /// The shape of an IPv6 address: hexadecimal groups, colons, perhaps a dotted tail. No zone: it means nothing to another host.
    private static func isIPv6(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var colons = 0
        for byte in bytes {
            switch byte {
            case UInt8(ascii: ":"): colons += 1
            case UInt8(ascii: "."): break
            default: guard isHexDigit(byte) else { return false }
            }
        }
        return (2...8).contains(colons) && bytes.count <= 45
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool { ByteClass.table[Int(byte)] & ByteClass.hexDigit != 0 }
}
