/// A path with parameters, as OpenAPI writes it: `/v1/models/{model}`, `/files/{name}.json`.
///
/// A parameter stands for at least one byte, never for a `/`, and not for `.` or `..`. Percent-encoding is undone in templates and in what is
/// matched, but for `%2F`, which is no separator where something matches so: `/caf%C3%A9` and `/café` are the same path, as they are to
/// the pod's framework.
package struct PathTemplate: Hashable, Sendable, CustomStringConvertible {
    enum Segment: Hashable, Sendable {
        case literal([UInt8])
        /// `{id}`: the whole segment.
        case parameter
        /// `{name}.json`: what comes before, between and after the parameters; the first and the last may be empty.
        case pattern([[UInt8]])
    }

    /// As it was written.
    package let text: String
    let segments: [Segment]

    package static let maximumLength = 8 * 1024
    package static let maximumSegments = 128

    /// - Throws: ``PathTemplateError`` in words, without the template itself.
    package init(_ text: String) throws(PathTemplateError) {
        guard text.utf8.first == UInt8(ascii: "/") else { throw PathTemplateError("a path begins with \"/\"") }
        guard text.utf8.count <= Self.maximumLength else {
            throw PathTemplateError("a path has at most \(Self.maximumLength) bytes")
        }
        guard !text.utf8.contains(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) else {
            throw PathTemplateError("a path has neither \"?\" nor \"#\"")
        }
        guard !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
            throw PathTemplateError("a path has no spaces or control characters; a space is written %20")
        }
        var segments: [Segment] = []
        for part in text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            segments.append(try Self.segment(Array(part)))
        }
        guard segments.count <= Self.maximumSegments else {
            throw PathTemplateError("a path has at most \(Self.maximumSegments) segments")
        }
        self.text = text
        self.segments = segments
    }

    package var description: String { text }

    /// This path behind a base path such as `/api/v1`.
    /// - Throws: ``PathTemplateError`` where the base is no path.
    package func prefixed(by base: String) throws(PathTemplateError) -> PathTemplate {
        try PathTemplate((base.hasSuffix("/") ? String(base.dropLast()) : base) + text)
    }

    private static func segment(_ bytes: [UInt8]) throws(PathTemplateError) -> Segment {
        var literals: [[UInt8]] = []
        var literal: [UInt8] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "{"):
                guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "}")) else {
                    throw PathTemplateError("\"{\" without \"}\" in the same segment")
                }
                let name = bytes[(index + 1)..<end]
                guard !name.isEmpty else { throw PathTemplateError("\"{}\" has no name") }
                guard !name.contains(UInt8(ascii: "{")) else { throw PathTemplateError("\"{\" inside \"{\"") }
                // `{a}{b}`: nobody can say where the one ends, so they stand for one stretch of the segment.
                if !literal.isEmpty || literals.isEmpty { literals.append(literal) }
                literal = []
                index = end + 1
            case UInt8(ascii: "}"):
                throw PathTemplateError("\"}\" without \"{\" before it in the same segment")
            default:
                literal.append(bytes[index])
                index += 1
            }
        }
        guard !literals.isEmpty else { return .literal(normalized(literal)) }
        literals.append(literal)
        if literals == [[], []] { return .parameter }
        return .pattern(literals.map(normalized))
    }

    private static func normalized(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let count = bytes.withUnsafeMutableBytes { buffer in
            PercentEncoding.undo(UnsafeRawBufferPointer(buffer), into: buffer)
        }
        bytes.removeSubrange(count...)
        return bytes
    }
}

/// Why a text is no path template.
package struct PathTemplateError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Undoing percent-encoding (RFC 3986 §2.1) without changing where segments begin.
enum PercentEncoding {
    /// Writes `source` decoded into `target`, which has room for it and may be the same memory; what is no encoding stays, and `%2F`
    /// too unless `separators` are decoded.
    /// - Returns: The count of bytes written.
    static func undo(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        separators: Bool = false
    ) -> Int {
        var (read, written) = (0, 0)
        while read < source.count {
            var byte = source[read]
            if byte == UInt8(ascii: "%"), read + 2 < source.count, let high = digit(source[read + 1]),
                let low = digit(source[read + 2]), separators || high << 4 | low != UInt8(ascii: "/")
            {
                byte = high << 4 | low
                read += 2
            }
            target[written] = byte
            read += 1
            written += 1
        }
        return written
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
