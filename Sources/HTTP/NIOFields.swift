import Core
import NIOCore
import NIOHTTP1

extension HeaderFields {
    /// Converts fields from NIOHTTP1, checking each (a name is a token, a value has no control characters), and gathers what they say
    /// of framing and connection.
    ///
    /// Bytes that are not UTF-8 have already been replaced by NIOHTTP1, which keeps fields as strings.
    /// - Parameter headBytes: What the first line takes of the bound on the head.
    init(
        checking headers: HTTPHeaders,
        limits: MessageLimits,
        headBytes: Int = 0,
        framing: inout FramingFields
    ) throws(MessageError) {
        var block = ByteBuffer()
        var lines: [HeaderFields.Line] = []
        lines.reserveCapacity(headers.count)
        for (name, value) in headers {
            let nameStart = block.writerIndex
            let nameLength = block.writeString(name)
            block.writeStaticString(": ")
            let valueStart = block.writerIndex
            // The white space around a value is no part of it (RFC 9110 §5.5).
            let text = value.utf8.drop { $0 == 0x20 || $0 == 0x09 }
            let length = block.writeBytes(text)
            let valueLength = length - text.reversed().prefix { $0 == 0x20 || $0 == 0x09 }.count
            let isValid = block.withUnsafeReadableBytes { bytes in
                let name = UnsafeRawBufferPointer(rebasing: bytes[nameStart..<nameStart + nameLength])
                let value = UnsafeRawBufferPointer(rebasing: bytes[valueStart..<valueStart + valueLength])
                let space = UnsafeRawBufferPointer(rebasing: bytes[valueStart + valueLength..<valueStart + length])
                framing.take(name: name, value: value)
                framing.take(behind: space, name: name)
                return name.isToken && value.allBytes(in: ByteClass.fieldValue)
            }
            guard isValid else { throw MessageError("a field with a byte that may not stand there") }
            block.moveWriterIndex(to: valueStart + valueLength)
            block.writeStaticString("\r\n")
            lines.append(
                Line(nameStart: nameStart, nameLength: nameLength, valueStart: valueStart, valueLength: valueLength)
            )
        }
        guard headBytes + block.readableBytes <= limits.headBytes, lines.count <= limits.fieldLines else {
            throw .headTooLarge(limits)
        }
        self.init(adopting: block, lines: lines)
    }

    /// Converts trailers, which say nothing of framing or connection.
    init(checkingTrailers headers: HTTPHeaders, limits: MessageLimits) throws(MessageError) {
        var framing = FramingFields()
        try self.init(checking: headers, limits: limits, framing: &framing)
        if framing.saysAnything { throw .framingInTrailers }
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
