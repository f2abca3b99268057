package import NIOCore

/// Which parts of a request are credentials: kept in memory for the pod, never written to the database or a log.
///
/// Field names are compared in any case and with `_` as `-`: there are servers that read `X_Api_Key` as `X-Api-Key`.
package struct Redaction: Sendable {
    /// What is always taken for a credential.
    package static let credentialFields = [
        "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "Api-Key", "X-Goog-Api-Key",
    ]

    /// Whether credentials are kept after all (`KEEP_CREDENTIALS`); then nothing is redacted.
    package let keepsCredentials: Bool
    /// Lower case, `-` for `_`.
    private let fieldNames: [[UInt8]]
    /// A bit for each length that a name in ``fieldNames`` has, so that most names are told apart by their length; 63 and more share one.
    private let fieldLengths: UInt64
    /// Lower case.
    private let queryNames: [[UInt8]]

    /// - Parameters:
    ///   - fields: Names of fields beyond ``credentialFields`` (`REDACT_HEADERS`).
    ///   - queryParameters: Names of query parameters, in any case (`REDACT_QUERY`).
    ///   - keepsCredentials: Whether to redact nothing (`KEEP_CREDENTIALS`).
    package init(fields: [String] = [], queryParameters: [String] = [], keepsCredentials: Bool = false) {
        self.keepsCredentials = keepsCredentials
        fieldNames = (Self.credentialFields + fields).map { name in name.utf8.map(Self.folded) }
        fieldLengths = fieldNames.reduce(0) { $0 | 1 << UInt64(min($1.count, 63)) }
        queryNames = queryParameters.map { name in name.utf8.map(Self.lowercased) }
    }

    /// Whether a field of that name is a credential.
    package func isCredential(_ name: UnsafeRawBufferPointer) -> Bool {
        guard fieldLengths & 1 << UInt64(min(name.count, 63)) != 0 else { return false }
        return fieldNames.contains { candidate in
            candidate.count == name.count && zip(candidate, name).allSatisfy { $0 == Self.folded($1) }
        }
    }

    /// A target with `***` for the values of the parameters that are credentials. Names are compared percent-decoded.
    /// - Parameter found: Called with the name of each, as it came.
    package func redactQuery(_ target: ByteBuffer, found: (ByteBufferView) -> Void = { _ in }) -> ByteBuffer {
        guard !keepsCredentials, !queryNames.isEmpty else { return target }
        let bytes = target.readableBytesView
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "?")) else { return target }
        var redacted = ByteBuffer()
        var copied = bytes.startIndex
        var start = mark + 1
        while start < bytes.endIndex {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.endIndex
            if let name = secretName(in: bytes[start..<end]) {
                found(name)
                redacted.writeBytes(bytes[copied...name.endIndex])
                redacted.writeStaticString("***")
                copied = end
            }
            start = end + 1
        }
        guard copied > bytes.startIndex else { return target }
        redacted.writeBytes(bytes[copied...])
        return redacted
    }

    /// The name of the secret in what stands between two `&`, which begins behind the name's `=`. There are servers that part parameters at
    /// `;` too, so names are looked for behind each; a secret lasts until the `&`, as it may hold a `;` itself.
    private func secretName(in pair: ByteBufferView) -> ByteBufferView? {
        var start = pair.startIndex
        while start < pair.endIndex {
            let end = pair[start...].firstIndex(of: UInt8(ascii: ";")) ?? pair.endIndex
            if let equals = pair[start..<end].firstIndex(of: UInt8(ascii: "=")), isSecret(pair[start..<equals]) {
                return pair[start..<equals]
            }
            start = end + 1
        }
        return nil
    }

    private func isSecret(_ name: ByteBufferView) -> Bool {
        var decoded: [UInt8] = []
        var index = name.startIndex
        while index < name.endIndex {
            if name[index] == UInt8(ascii: "%"), index + 2 < name.endIndex,
                let high = Self.hexValue(name[index + 1]), let low = Self.hexValue(name[index + 2])
            {
                decoded.append(Self.lowercased(high << 4 | low))
                index += 3
            } else {
                decoded.append(Self.lowercased(name[index]))
                index += 1
            }
        }
        return queryNames.contains(decoded)
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
        byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : lowercased(byte)
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
