import Core
import NIOCore
import NIOHTTP1

extension HeaderFields {
    /// Converts fields from NIOHTTP1, checking each: a name is a token, a value has no control characters.
    ///
    /// Bytes that are not UTF-8 have already been replaced by NIOHTTP1, which keeps fields as strings.
    init(
        checking headers: HTTPHeaders,
        limits: MessageLimits,
        headBytes: Int = 0,
        _ each: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void = { _, _ in }
    ) throws(MessageError) {
        var block = ByteBuffer()
        var lines: [HeaderFields.Line] = []
        lines.reserveCapacity(headers.count)
        for (name, value) in headers {
            let nameStart = block.writerIndex
            let nameLength = block.writeString(name)
            block.writeStaticString(": ")
            let valueStart = block.writerIndex
            let valueLength = block.writeString(value)
            // The white space around a value is no part of it (RFC 9110 §5.5).
            let (isValid, trimmed) = block.withUnsafeReadableBytes { bytes in
                let name = UnsafeRawBufferPointer(rebasing: bytes[nameStart..<nameStart + nameLength])
                let value = UnsafeRawBufferPointer(rebasing: bytes[valueStart..<valueStart + valueLength]).trimmed
                return (
                    name.isToken && value.allBytes(in: ByteClass.fieldValue),
                    value.isEmpty
                        ? 0..<0
                        : (value.baseAddress! - bytes.baseAddress! - valueStart)..<(value.baseAddress! - bytes
                            .baseAddress! - valueStart + value.count)
                )
            }
            guard isValid else { throw MessageError("a field with a byte that may not stand there") }
            if trimmed.count < valueLength {
                let kept = block.getSlice(at: valueStart + trimmed.lowerBound, length: trimmed.count)!
                block.moveWriterIndex(to: valueStart)
                block.writeImmutableBuffer(kept)
            }
            block.writeStaticString("\r\n")
            lines.append(
                Line(nameStart: nameStart, nameLength: nameLength, valueStart: valueStart, valueLength: trimmed.count)
            )
        }
        guard headBytes + block.readableBytes <= limits.headBytes, lines.count <= limits.fieldLines else {
            throw MessageError(status: 431, "the head is too large")
        }
        self.init(adopting: block, lines: lines)
        forEach(each)
    }
}

extension HeaderFields {
    /// Converts trailers, which say nothing of framing or connection.
    init(checkingTrailers headers: HTTPHeaders, limits: MessageLimits) throws(MessageError) {
        var facts = FramingFields()
        try self.init(checking: headers, limits: limits) { facts.take(name: $0, value: $1) }
        if facts.saysAnything { throw .framingInTrailers }
    }
}

extension Core.HTTPVersion {
    /// nil for a version that is not spoken here.
    init?(_ version: NIOHTTP1.HTTPVersion) {
        switch (version.major, version.minor) {
        case (1, 0): self = .http10
        case (1, 1): self = .http11
        default: return nil
        }
    }
}

extension MessageError {
    /// What a client is told for an error of the parser.
    init(_ error: HTTPParserError) {
        switch error {
        case .invalidMethod: self.init(status: 501, "an unknown method")
        case .invalidVersion, .paused: self.init(status: 505, "a version of HTTP other than 1.0 and 1.1")
        case .headerOverflow: self.init(status: 431, "the head is too large")
        case .invalidChunkSize: self.init("a chunk size that is no number")
        case .invalidContentLength, .unexpectedContentLength: self.init("an ambiguous or invalid Content-Length")
        case .invalidHeaderToken: self.init("a field that is not valid")
        case .invalidURL: self.init("a request target that is not valid")
        case .invalidEOFState: self.init("the connection ended in the middle of a message")
        default: self.init("not an HTTP/1.1 message")
        }
    }
}

extension NIOHTTPDecoderLimitConfiguration {
    init(_ limits: MessageLimits) {
        self.init()
        maxHeaderFieldSize = limits.headBytes
        maxHeaderListSize = limits.headBytes
        maxHeaderFieldCount = limits.fieldLines
    }
}
