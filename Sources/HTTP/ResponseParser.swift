import Core
import NIOCore

/// Reads answers from bytes as they come, one part at a time. Every refusal has the status 502.
struct ResponseParser {
    private enum State {
        /// No answer is awaited.
        case idle
        case statusLine
        case fields
        case body
        /// There were bytes behind an answer before the next request was written: they answer nothing, whatever is written then.
        case surplus
        case stopped
    }

    private let limits: MessageLimits
    private var buffer = ByteBuffer()
    private var state = State.idle
    private var method = RequestMethod.get
    /// There is no end of the first line before here.
    private var searched = 0
    private var line = StatusLine()
    private var fields = FieldLines(start: 0)
    private var body = BodyReader(.none, behind: nil)
    private var keepsConnection = true

    init(limits: MessageLimits) { self.limits = limits }

    /// A request was written: an answer to it is awaited.
    mutating func expect(_ method: RequestMethod) {
        guard case .idle = state else { return }
        self.method = method
        state = .statusLine
    }

    /// Takes bytes that were read. After the last answer of a connection, or what is invalid, they are dropped.
    mutating func append(_ bytes: ByteBuffer) {
        if case .stopped = state { return }
        buffer.appendRead(bytes)
    }

    /// The next part, nil where it needs more bytes.
    mutating func next() -> ResponsePart? {
        switch state {
        case .idle: buffer.readableBytes > 0 ? refuse(.unsolicited) : nil
        case .surplus: refuse(.unsolicited)
        case .statusLine: readStatusLine()
        case .fields: readFields()
        case .body: readBody()
        case .stopped: nil
        }
    }

    /// The connection ends: what to say of an answer that was not whole.
    /// - Parameter problem: Why even an answer that lasts until the end of the connection is not whole; nil where the end was orderly.
    mutating func finish(problem: String?) -> ResponsePart? {
        switch state {
        case .idle, .surplus, .stopped: return nil
        case .statusLine where buffer.readableBytes == 0: return nil
        case .body where body.endsWithConnection && problem == nil:
            state = .stopped
            return .end(trailers: nil)
        case .statusLine, .fields, .body:
            return refuse(MessageError(problem ?? "the connection ended in the middle of an answer"))
        }
    }

    private mutating func refuse(_ error: MessageError) -> ResponsePart {
        state = .stopped
        buffer = ByteBuffer()
        return .invalid(MessageError(status: 502, error.description))
    }

    private mutating func readStatusLine() -> ResponsePart? {
        let bytes = buffer
        let outcome = bytes.withUnsafeReadableBytes { bytes -> StatusLine.Outcome in
            guard let end = bytes.firstIndex(of: UInt8(ascii: "\n"), from: searched) else {
                searched = bytes.count
                guard StatusLine.mayBegin(bytes) else { return .refused(.noRequest) }
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

    private mutating func readFields() -> ResponsePart? {
        let bytes = buffer
        switch bytes.withUnsafeReadableBytes({ fields.read($0, limits: limits) }) {
        case .incomplete: return nil
        case .tooLarge: return refuse(.headTooLarge(limits))
        case .refused(let error): return refuse(error)
        case .complete: break
        }
        let facts = fields.framing
        let framing: BodyFraming
        do throws(MessageError) {
            framing = try facts.answerFraming(status: line.status, to: method)
        } catch {
            return refuse(error)
        }
        let head = ResponseHead(
            status: line.status,
            reason: line.reason,
            version: line.version,
            fields: fields.fields(in: buffer, messageStart: buffer.readerIndex)
        )
        buffer.moveReaderIndex(forwardBy: fields.next)
        let read = fields
        fields = FieldLines(start: 0)
        keepsConnection = facts.keepsConnection(version: line.version) && framing != .untilClose
        if line.status < 200 {
            guard line.status != 101 else { return refuse(.unaskedUpgrade) }
            guard facts.keepsConnection(version: line.version) else { return refuse(.closingInterim) }
            state = .statusLine
            return .informational(head)
        }
        body = BodyReader(framing, behind: read)
        state = .body
        return .head(head, framing: framing, keepAlive: keepsConnection)
    }

    private mutating func readBody() -> ResponsePart? {
        switch body.next(&buffer, limits: limits) {
        case .bytes(let bytes):
            return .body(bytes)
        case .end(let trailers):
            state = !keepsConnection ? .stopped : buffer.readableBytes > 0 ? .surplus : .idle
            // What was read into does not stay in memory while the connection is idle.
            if !keepsConnection || buffer.readableBytes == 0 { buffer = ByteBuffer() }
            return .end(trailers: trailers)
        case .incomplete:
            return nil
        case .refused(let error):
            return refuse(error)
        }
    }
}

/// A status line (RFC 9112 §4): `version SP 3DIGIT [ SP [ reason ] ] CRLF`.
private struct StatusLine {
    enum Outcome {
        case incomplete
        /// The line's length with its CRLF.
        case complete(Int)
        case refused(MessageError)
    }

    private(set) var version = HTTPVersion.http11
    private(set) var status = 200
    private(set) var reason = ""

    /// Whether bytes can become a status line.
    static func mayBegin(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let start: StaticString = "HTTP/1."
        for index in 0..<min(bytes.count, start.utf8CodeUnitCount) where bytes[index] != start.utf8Start[index] {
            return false
        }
        return true
    }

    /// Reads a line that ends with LF.
    mutating func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        // The shortest is `HTTP/1.1 200 CRLF` without its last space.
        guard bytes.count >= 14, bytes[bytes.count - 2] == UInt8(ascii: "\r"), bytes[8] == UInt8(ascii: " ") else {
            return .refused(.noRequest)
        }
        switch HTTPVersion.reading(bytes.loadUnaligned(as: UInt64.self)) {
        case .success(let read): version = read
        case .failure(let error): return .refused(error)
        }
        guard let code = Int(decimalDigits: UnsafeRawBufferPointer(rebasing: bytes[9..<12])), code >= 100 else {
            return .refused(MessageError("a status outside 100 to 999"))
        }
        status = code
        let lineEnd = bytes.count - 2
        guard lineEnd > 12 else {
            reason = ""
            return .complete(bytes.count)
        }
        guard bytes[12] == UInt8(ascii: " ") else { return .refused(.noRequest) }
        let text = UnsafeRawBufferPointer(rebasing: bytes[13..<lineEnd])
        guard let base = text.baseAddress, base.firstControl(from: 0, to: text.count) == text.count else {
            return .refused(.controlInField)
        }
        reason = Self.reason(text, status)
        return .complete(bytes.count)
    }

    /// The phrase that is usual for the status, where it is that, so that no string is allocated for it.
    private static func reason(_ text: UnsafeRawBufferPointer, _ status: Int) -> String {
        let usual = ReasonPhrase.of(status)
        return usual.utf8.elementsEqual(text) ? usual : String(decoding: text, as: UTF8.self)
    }
}

extension MessageError {
    static let unsolicited = MessageError(status: 502, "an answer that no request asked for")
    static let unaskedUpgrade = MessageError(status: 502, "101 without being asked to switch protocols")
    static let closingInterim = MessageError(status: 502, "an interim answer that ends the connection")
}
