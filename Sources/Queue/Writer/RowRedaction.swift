import Core
import NIOCore

/// Writes a message's target and fields for its row: what ``Core/Redaction`` takes for a credential is left out, and named.
struct RowRedaction: Sendable {
    private let redaction: Redaction

    init(_ redaction: Redaction) {
        self.redaction = redaction
    }

    /// Writes field lines, but for credentials, whose names are written to `withheld`, one a line.
    func write(_ fields: HeaderFields, into buffer: inout ByteBuffer, withheld: inout ByteBuffer) {
        guard !redaction.keepsCredentials else { return fields.write(into: &buffer) }
        var kept = fields
        kept.removeAll { name, _ in
            guard redaction.isCredential(name) else { return false }
            Self.startLine(&withheld)
            withheld.writeRaw(name)
            return true
        }
        kept.write(into: &buffer)
    }

    /// Writes a target with `***` for the values of parameters that are credentials, whose names are written to `withheld` with a
    /// leading `?`.
    func write(target: ByteBuffer, into buffer: inout ByteBuffer, withheld: inout ByteBuffer) {
        let redacted = redaction.redactQuery(target) { name in
            Self.startLine(&withheld)
            withheld.writeInteger(UInt8(ascii: "?"))
            withheld.writeBytes(name)
        }
        buffer.writeImmutableBuffer(redacted)
    }

    private static func startLine(_ withheld: inout ByteBuffer) {
        if withheld.readableBytes > 0 { withheld.writeInteger(UInt8(ascii: "\n")) }
    }
}
