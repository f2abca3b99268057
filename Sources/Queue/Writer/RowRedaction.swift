import Core
import NIOCore

/// What of a message is kept out of its row: the values of fields and query parameters that carry credentials.
struct RowRedaction: Sendable {
    /// Fields that carry credentials in practice; in lower case.
    static let credentialFields = [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-goog-api-key",
    ]

    /// In lower case.
    private let fieldNames: [[UInt8]]
    /// A bit for each length that a name in ``fieldNames`` has: most fields are passed over by this alone.
    private let lengths: UInt64
    /// As they are in a query.
    private let parameterNames: [[UInt8]]

    init(keepCredentials: Bool, fields: [String], parameters: [String]) {
        let names = (keepCredentials ? [] : Self.credentialFields) + fields.map { $0.lowercased() }
        fieldNames = names.filter { !$0.isEmpty }.map { Array($0.utf8) }
        lengths = fieldNames.reduce(0) { $0 | 1 << UInt64(min($1.count, 63)) }
        parameterNames = parameters.filter { !$0.isEmpty }.map { Array($0.utf8) }
    }

    /// Writes field lines, but for those that are withheld, whose names are written to `withheld`, one a line.
    func write(_ fields: HeaderFields, into buffer: inout ByteBuffer, withheld: inout ByteBuffer) {
        fields.forEach { name, value in
            if withholds(field: name) {
                if withheld.readableBytes > 0 { withheld.writeInteger(UInt8(ascii: "\n")) }
                withheld.writeBytes(name)
            } else {
                buffer.writeBytes(name)
                buffer.writeStaticString(": ")
                buffer.writeBytes(value)
                buffer.writeStaticString("\r\n")
            }
        }
    }

    /// Writes a target, without the values of the parameters that are withheld, whose names are written to `withheld` with a
    /// leading `?`.
    func write(target: ByteBuffer, into buffer: inout ByteBuffer, withheld: inout ByteBuffer) {
        guard !parameterNames.isEmpty else {
            buffer.writeImmutableBuffer(target)
            return
        }
        target.withUnsafeReadableBytes { bytes in
            guard let question = bytes.firstIndex(of: UInt8(ascii: "?")) else {
                buffer.writeBytes(bytes)
                return
            }
            buffer.writeBytes(bytes[...question])
            var start = question + 1
            while start < bytes.count {
                let end = bytes[start...].firstIndex(of: UInt8(ascii: "&")) ?? bytes.count
                let name = bytes[start..<end].prefix { $0 != UInt8(ascii: "=") }
                if name.endIndex < end, parameterNames.contains(where: { $0.elementsEqual(name) }) {
                    if withheld.readableBytes > 0 { withheld.writeInteger(UInt8(ascii: "\n")) }
                    withheld.writeInteger(UInt8(ascii: "?"))
                    withheld.writeBytes(name)
                    buffer.writeBytes(bytes[start...name.endIndex])
                } else {
                    buffer.writeBytes(bytes[start..<end])
                }
                if end < bytes.count { buffer.writeInteger(UInt8(ascii: "&")) }
                start = end + 1
            }
        }
    }

    private func withholds(field name: UnsafeRawBufferPointer) -> Bool {
        guard lengths & 1 << UInt64(min(name.count, 63)) != 0 else { return false }
        return fieldNames.contains { candidate in
            candidate.withUnsafeBytes { name.equalsIgnoringCase($0) }
        }
    }
}
