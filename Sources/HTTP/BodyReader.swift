import Core
import NIOCore

/// Takes a body apart from its framing. Its bytes are slices of what was read, never copied.
struct BodyReader {
    enum Step {
        case bytes(ByteBuffer)
        case end(trailers: HeaderFields?)
        case incomplete
        case refused(MessageError)
    }

    private enum State {
        /// That many bytes to come.
        case length(Int)
        case chunkSize
        /// That many bytes of a chunk to come.
        case chunk(Int)
        /// The CRLF behind a chunk.
        case chunkEnd
        case trailers
        case untilClose
    }

    /// The longest line of a chunk's size with its extensions.
    static let maximumChunkLine = 1024
    /// What extensions may take beyond 16 bytes a chunk and twice its data; over it somebody wastes our time (CVE-2023-39326).
    static let maximumExcess = 16 * 1024

    private var state: State
    private var excess = 0
    private var trailerLines: FieldLines?
    /// What the head took of the bounds, which hold for its fields and the trailers together, as in NIOHTTP1.
    private let headBytes: Int
    private let headLines: Int

    /// - Parameter head: That of the message; nil where there is none yet.
    init(_ framing: BodyFraming, behind head: FieldLines?) {
        headBytes = head?.next ?? 0
        headLines = head?.lines.count ?? 0
        switch framing {
        case .none: state = .length(0)
        case .length(let length): state = .length(length)
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
    }

    /// Whether the end of the connection is the end of the body.
    var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }

    /// Takes the next step; consumes what it returns, and framing, from the buffer.
    mutating func next(_ buffer: inout ByteBuffer, limits: MessageLimits) -> Step {
        while true {
            switch state {
            case .length(0):
                return .end(trailers: nil)
            case .length(let rest):
                guard let bytes = buffer.readSlice(upTo: rest) else { return .incomplete }
                state = .length(rest - bytes.readableBytes)
                return .bytes(bytes)
            case .untilClose:
                guard let bytes = buffer.readSlice(upTo: .max) else { return .incomplete }
                return .bytes(bytes)
            case .chunk(let rest):
                guard let bytes = buffer.readSlice(upTo: rest) else { return .incomplete }
                let left = rest - bytes.readableBytes
                state = left > 0 ? .chunk(left) : .chunkEnd
                return .bytes(bytes)
            case .chunkEnd:
                let (first, second) = buffer.withUnsafeReadableBytes { ($0.first, $0.count > 1 ? $0[1] : nil) }
                guard let first else { return .incomplete }
                guard first == UInt8(ascii: "\r") else { return .refused(.longChunk) }
                guard let second else { return .incomplete }
                guard second == UInt8(ascii: "\n") else { return .refused(.longChunk) }
                buffer.moveReaderIndex(forwardBy: 2)
                state = .chunkSize
            case .chunkSize:
                let line = buffer.withUnsafeReadableBytes { ChunkLine($0) }
                switch line {
                case .incomplete:
                    return .incomplete
                case .refused(let error):
                    return .refused(error)
                case .whole(let size, let length):
                    excess += length
                    excess -= min(excess, 16 + 2 * min(size, Self.maximumExcess))
                    guard excess <= Self.maximumExcess else {
                        return .refused(MessageError("more chunk extensions than data"))
                    }
                    buffer.moveReaderIndex(forwardBy: length)
                    state = size > 0 ? .chunk(size) : .trailers
                }
            case .trailers:
                return readTrailers(&buffer, limits)
            }
        }
    }

    private mutating func readTrailers(_ buffer: inout ByteBuffer, _ limits: MessageLimits) -> Step {
        // Mostly there are none.
        if trailerLines == nil {
            let isEmpty = buffer.withUnsafeReadableBytes { bytes in
                bytes.count >= 2 && bytes[0] == UInt8(ascii: "\r") && bytes[1] == UInt8(ascii: "\n")
            }
            if isEmpty {
                buffer.moveReaderIndex(forwardBy: 2)
                return .end(trailers: nil)
            }
        }
        var lines = trailerLines ?? FieldLines(start: 0)
        trailerLines = nil
        var rest = limits
        // The empty line that ends the message counts for nothing, whether it comes behind trailers or alone.
        rest.headBytes += 2 - headBytes
        rest.fieldLines -= headLines
        let outcome = buffer.withUnsafeReadableBytes { lines.read($0, limits: rest) }
        if lines.framing.saysAnything { return .refused(.framingInTrailers) }
        switch outcome {
        case .incomplete:
            trailerLines = lines
            return .incomplete
        case .tooLarge:
            return .refused(.trailersTooLarge(limits))
        case .refused(let error):
            return .refused(error)
        case .complete:
            let trailers = lines.fields(in: buffer, messageStart: buffer.readerIndex)
            buffer.moveReaderIndex(forwardBy: lines.next)
            return .end(trailers: trailers.isEmpty ? nil : trailers)
        }
    }
}

/// The line before a chunk: `chunk-size [ chunk-ext ] CRLF` (RFC 9112 §7.1), of which extensions are checked and dropped.
///
/// Without the white space that §7.1.1 has recipients accept around `;` and `=`: readers that disagree about it are why requests were smuggled.
private enum ChunkLine {
    case incomplete
    /// `length` is the line's, with its CRLF.
    case whole(size: Int, length: Int)
    case refused(MessageError)

    init(_ bytes: UnsafeRawBufferPointer) {
        var (index, size) = (0, UInt64(0))
        while index < bytes.count, let digit = Self.hexDigit(bytes[index]) {
            guard index < 16 else {
                self = .refused(.badChunkSize)
                return
            }
            size = size << 4 | UInt64(digit)
            index += 1
        }
        guard index < bytes.count else {
            self = .incomplete
            return
        }
        guard index > 0, size <= UInt64(Int.max) else {
            self = .refused(.badChunkSize)
            return
        }
        while bytes[index] == UInt8(ascii: ";") {
            index += 1
            switch Self.extensionEnd(bytes, &index) {
            case .valid: break
            case .incomplete:
                self = bytes.count < BodyReader.maximumChunkLine ? .incomplete : .refused(.badExtension)
                return
            case .invalid:
                self = .refused(.badExtension)
                return
            }
        }
        guard bytes[index] == UInt8(ascii: "\r") else {
            self = .refused(.badChunkSize)
            return
        }
        guard index + 1 < bytes.count else {
            self = .incomplete
            return
        }
        guard bytes[index + 1] == UInt8(ascii: "\n"), index + 2 <= BodyReader.maximumChunkLine else {
            self = .refused(.badChunkSize)
            return
        }
        self = .whole(size: Int(size), length: index + 2)
    }

    private enum Part {
        case valid
        case incomplete
        case invalid
    }

    /// Reads `name [ = value ]`. Valid only with a byte behind it.
    private static func extensionEnd(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) -> Part {
        switch token(bytes, &index) {
        case .valid: break
        case let other: return other
        }
        guard bytes[index] == UInt8(ascii: "=") else { return .valid }
        index += 1
        guard index < bytes.count else { return .incomplete }
        guard bytes[index] == UInt8(ascii: "\"") else { return token(bytes, &index) }
        index += 1
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return index < bytes.count ? .valid : .incomplete }
            guard ByteClass.table[Int(byte)] & ByteClass.fieldValue != 0 else { return .invalid }
            if byte == UInt8(ascii: "\\") {
                guard index < bytes.count else { return .incomplete }
                guard ByteClass.table[Int(bytes[index])] & ByteClass.fieldValue != 0 else { return .invalid }
                index += 1
            }
        }
        return .incomplete
    }

    private static func token(_ bytes: UnsafeRawBufferPointer, _ index: inout Int) -> Part {
        let start = index
        while index < bytes.count, ByteClass.table[Int(bytes[index])] & ByteClass.token != 0 { index += 1 }
        if index == bytes.count { return .incomplete }
        return index > start ? .valid : .invalid
    }

    @inline(__always)
    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        if digit < 10 { return digit }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }
}

extension ByteBuffer {
    /// What is there, but not more than `length`; nil where nothing is.
    fileprivate mutating func readSlice(upTo length: Int) -> ByteBuffer? {
        guard readableBytes > 0 else { return nil }
        return readSlice(length: min(length, readableBytes))
    }
}

extension MessageError {
    fileprivate static let badChunkSize = MessageError("a chunk size that is no number")
    fileprivate static let badExtension = MessageError("a chunk extension that is not valid")
    fileprivate static let longChunk = MessageError("a chunk that is longer than it said")
    static let framingInTrailers = MessageError("a trailer that says how the message is framed")
}
