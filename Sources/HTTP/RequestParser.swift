import Core
import NIOCore

/// Reads requests from bytes as they come, one part at a time, so that whoever reads may stop after any of them.
///
/// Heads are parsed in place: their fields are a slice of what was read, with an index. Nothing is decoded ahead.
struct RequestParser {
    private enum State {
        /// Between requests, or in the first line.
        case requestLine
        case fields
        case body
        case stopped
    }

    private let limits: MessageLimits
    private var buffer = ByteBuffer()
    private var state = State.requestLine
    /// There is no end of the first line before here.
    private var searched = 0
    private var line = RequestLine()
    private var fields = FieldLines(start: 0)
    private var body = BodyReader(.none, behind: nil)
    private var endsConnection = false

    init(limits: MessageLimits) { self.limits = limits }

    /// Bytes that are not decoded.
    var heldBytes: Int { buffer.readableBytes }

    /// The memory that they stand in.
    var heldCapacity: Int { buffer.storageCapacity }

    /// Takes bytes that were read. After the last request of a connection, or what is invalid, they are dropped.
    mutating func append(_ bytes: ByteBuffer) {
        if case .stopped = state { return }
        buffer.appendRead(bytes)
    }

    /// The next part, nil where it needs more bytes.
    mutating func next() -> RequestPart? {
        switch state {
        case .requestLine: readRequestLine()
        case .fields: readFields()
        case .body: readBody()
        case .stopped: nil
        }
    }

    /// The input ends: what to say where that is in the middle of a request.
    mutating func finish() -> RequestPart? {
        switch state {
        case .stopped: return nil
        case .requestLine where buffer.readableBytes == 0: return nil
        case .requestLine, .fields, .body:
            return refuse(MessageError("the connection ended in the middle of a request"))
        }
    }

    private mutating func refuse(_ error: MessageError) -> RequestPart {
        state = .stopped
        buffer = ByteBuffer()
        return .invalid(error)
    }

    private mutating func readRequestLine() -> RequestPart? {
        if searched == 0 {
            // RFC 9112 §2.2: empty lines before a request are passed over.
            while let (first, second) = buffer.firstTwoBytes, first == UInt8(ascii: "\r") {
                guard let second else { return nil }
                guard second == UInt8(ascii: "\n") else { return refuse(MessageError("a CR without a LF")) }
                buffer.moveReaderIndex(forwardBy: 2)
            }
        }
        let bytes = buffer
        let outcome = bytes.withUnsafeReadableBytes { bytes -> RequestLine.Outcome in
            guard !bytes.isEmpty else { return .incomplete }
            guard let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: searched) else {
                guard ByteClass.table[Int(bytes[0])] & ByteClass.token != 0 else { return .refused(.noRequest) }
                searched = bytes.count
                return bytes.count <= limits.headBytes ? .incomplete : .refused(.headTooLarge(limits))
            }
            guard end < limits.headBytes else { return .refused(.headTooLarge(limits)) }
            return line.read(UnsafeRawBufferPointer(rebasing: bytes[...end]))
        }
        switch outcome {
        case .incomplete: return nil
        case .refused(let error): return refuse(error)
        case .complete(let length):
            searched = 0
            fields = FieldLines(start: length)
            state = .fields
            return readFields()
        }
    }

    private mutating func readFields() -> RequestPart? {
        let bytes = buffer
        switch bytes.withUnsafeReadableBytes({ fields.read($0, limits: limits) }) {
        case .incomplete: return nil
        case .tooLarge: return refuse(.headTooLarge(limits))
        case .refused(let error): return refuse(error)
        case .complete: break
        }
        let framing: BodyFraming
        do throws(MessageError) {
            framing = try fields.framing.requestFraming(version: line.version)
        } catch {
            return refuse(error)
        }
        let start = buffer.readerIndex
        var head = RequestHead(
            method: line.method,
            target: buffer.getSlice(at: start + line.target.lowerBound, length: line.target.count)!,
            version: line.version,
            fields: fields.fields(in: buffer, messageStart: start)
        )
        if case .absolute(let authority) = line.form { RequestTarget.normalise(&head, authority: authority) }
        endsConnection = !fields.framing.keepsConnection(version: line.version)
        buffer.moveReaderIndex(forwardBy: fields.next)
        body = BodyReader(framing, behind: fields)
        fields = FieldLines(start: 0)
        state = .body
        return .head(head, framing: framing)
    }

    private mutating func readBody() -> RequestPart? {
        switch body.next(&buffer, limits: limits) {
        case .bytes(let bytes):
            return .body(bytes)
        case .end(let trailers):
            state = endsConnection ? .stopped : .requestLine
            // What was read into does not stay in memory while the request waits for its answer.
            if endsConnection || buffer.readableBytes == 0 { buffer = ByteBuffer() }
            return .end(trailers: trailers)
        case .incomplete:
            return nil
        case .refused(let error):
            return refuse(error)
        }
    }
}

/// A request line (RFC 9112 §3): `method SP target SP version CRLF`, with single spaces and nothing else.
private struct RequestLine {
    enum Outcome {
        case incomplete
        /// The line's length with its CRLF.
        case complete(Int)
        case refused(MessageError)
    }

    private(set) var method = RequestMethod.get
    /// From the start of the line.
    private(set) var target = 0..<0
    private(set) var form = RequestTarget.Form.origin
    private(set) var version = HTTPVersion.http11

    /// Reads a line that ends with LF.
    mutating func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        guard let methodEnd = bytes.firstIndex(of: UInt8(ascii: " "), from: 0), methodEnd > 0,
            UnsafeRawBufferPointer(rebasing: bytes[..<methodEnd]).isToken, bytes.count >= 2,
            bytes[bytes.count - 2] == UInt8(ascii: "\r")
        else { return .refused(.noRequest) }
        let lineEnd = bytes.count - 2
        let targetStart = methodEnd + 1
        guard let targetEnd = bytes.firstIndex(of: UInt8(ascii: " "), from: targetStart) else {
            // HTTP/0.9 had no version.
            return .refused(.unknownVersion)
        }
        switch Self.version(UnsafeRawBufferPointer(rebasing: bytes[(targetEnd + 1)..<lineEnd])) {
        case .success(let read): version = read
        case .failure(let error): return .refused(error)
        }
        guard let read = Self.method(UnsafeRawBufferPointer(rebasing: bytes[..<methodEnd])) else {
            return .refused(MessageError(status: 501, "an unknown method"))
        }
        method = read
        target = targetStart..<targetEnd
        do throws(MessageError) {
            form = try RequestTarget.form(of: UnsafeRawBufferPointer(rebasing: bytes[target]), method: method)
        } catch {
            return .refused(error)
        }
        return .complete(bytes.count)
    }

    @inline(__always)
    private static func method(_ bytes: UnsafeRawBufferPointer) -> RequestMethod? {
        if bytes.count == 4, bytes.loadUnaligned(as: UInt32.self) == UInt32(littleEndian: 0x5453_4F50) { return .post }
        if bytes.count == 3, bytes[0] == 0x47, bytes[1] == 0x45, bytes[2] == 0x54 { return .get }
        // No method has more than 11 letters; so short a string is not allocated.
        guard bytes.count <= 15 else { return nil }
        return RequestMethod(rawValue: String(decoding: bytes, as: UTF8.self))
    }

    @inline(__always)
    private static func version(_ bytes: UnsafeRawBufferPointer) -> Result<HTTPVersion, MessageError> {
        guard bytes.count == 8 else { return .failure(.noRequest) }
        return HTTPVersion.reading(bytes.loadUnaligned(as: UInt64.self))
    }
}

extension HTTPVersion {
    /// Reads `HTTP/1.1` from eight bytes in memory order.
    @inline(__always)
    static func reading(_ bytes: UInt64) -> Result<HTTPVersion, MessageError> {
        // "HTTP/1.0" and "HTTP/1.1" as little-endian numbers; they differ in the last byte.
        let text = UInt64(littleEndian: bytes)
        if text == 0x312E_312F_5054_5448 { return .success(.http11) }
        if text == 0x302E_312F_5054_5448 { return .success(.http10) }
        let isVersion =
            text & 0x00FF_00FF_FFFF_FFFF == 0x002E_002F_5054_5448 && UInt8(truncatingIfNeeded: text >> 40) &- 0x30 < 10
            && UInt8(truncatingIfNeeded: text >> 56) &- 0x30 < 10
        return .failure(isVersion ? .unknownVersion : .noRequest)
    }
}

extension ByteBuffer {
    /// Puts what was just read behind what is left from before.
    mutating func appendRead(_ bytes: ByteBuffer) {
        if readableBytes == 0 {
            self = bytes
        } else {
            // What is read already would stay in memory for as long as something is left over behind it.
            discardReadBytes()
            writeImmutableBuffer(bytes)
        }
    }

    /// nil where it is empty.
    fileprivate var firstTwoBytes: (UInt8, UInt8?)? {
        withUnsafeReadableBytes { bytes in
            bytes.isEmpty ? nil : (bytes[0], bytes.count > 1 ? bytes[1] : nil)
        }
    }
}

extension MessageError {
    static let noRequest = MessageError("not an HTTP/1.1 message")
    static let unknownVersion = MessageError(status: 505, "a version of HTTP other than 1.0 and 1.1")
}
