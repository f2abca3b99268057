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
        fields.forEach { name, value in
            if redaction.isCredential(name) {
                Self.startLine(&withheld)
                withheld.writeBytes(name)
            } else {
                buffer.writeBytes(name)
                buffer.writeStaticString(": ")
                buffer.writeBytes(value)
                buffer.writeStaticString("\r\n")
            }
        }
    }

    /// Writes a target with `***` for the values of parameters that are credentials, whose names are written to `withheld` with a
    /// leading `?`.
    func write(target: ByteBuffer, into buffer: inout ByteBuffer, withheld: inout ByteBuffer) {
        let redacted = redaction.redactQuery(target)
        buffer.writeImmutableBuffer(redacted)
        guard redacted != target else { return }
        // Values change in their places: a pair that is not what it was is one that was redacted.
        let pairs = target.readableBytesView.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
        let written = redacted.readableBytesView.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
        for (index, (pair, written)) in zip(pairs, written).enumerated() where !pair.elementsEqual(written) {
            var parameter = pair
            if index == 0, let question = pair.firstIndex(of: UInt8(ascii: "?")) { parameter = pair[(question + 1)...] }
            Self.startLine(&withheld)
            withheld.writeInteger(UInt8(ascii: "?"))
            withheld.writeBytes(parameter.prefix { $0 != UInt8(ascii: "=") })
        }
    }

    private static func startLine(_ withheld: inout ByteBuffer) {
        if withheld.readableBytes > 0 { withheld.writeInteger(UInt8(ascii: "\n")) }
    }
}
