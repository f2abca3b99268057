import Core
import HTTP
import NIOCore

/// How the body of an answer is delimited for the client (RFC 9112 §6).
enum AnswerFraming: Equatable {
    /// There is no body, whatever its fields say: HEAD, 204, 304.
    case none
    /// Content-Length.
    case length(Int)
    case chunked
    /// It ends with the connection: what an HTTP/1.0 client gets where the length is not known.
    case untilClose

    /// Frames a pod's answer for its client.
    init(_ framing: BodyFraming, status: Int, to method: RequestMethod, _ version: HTTPVersion) {
        guard method != .head, status != 204, status != 304 else {
            self = .none
            return
        }
        switch framing {
        case .none: self = .length(0)
        case .length(let count): self = .length(count)
        case .chunked, .untilClose: self = version == .http11 ? .chunked : .untilClose
        }
    }
}

/// Writes the head of an answer that a pod gave.
struct AnswerHeadWriter {
    let framing: AnswerFraming
    let connection: MessageWriter.AnswerConnection

    /// Writes status line, the pod's fields as they came, and the gateway's own.
    /// - Parameters:
    ///   - date: For an answer without one (RFC 9110 §6.6.1).
    ///   - scratch: Memory to use again.
    func write(
        _ head: ResponseHead,
        timing: AnswerTiming?,
        date: DateStamp,
        scratch: inout ByteBuffer,
        into buffer: inout ByteBuffer
    ) {
        var facts = PodFields()
        head.fields.forEach { name, _ in facts.take(name) }
        scratch.clear()
        if !facts.hasDate { date.write(into: &scratch) }
        if let timing { write(timing, into: &scratch) }

        var head = head
        // With HEAD and 304 Content-Length tells of the body that is not there; 204 has none (RFC 9110 §8.6).
        let dropsLength = facts.hasLength && (head.status == 204 || framing == .untilClose)
        if facts.hasOurs || dropsLength {
            head.fields.removeAll { name, _ in
                PodFields.isOurs(name) || dropsLength && name.equalsIgnoringCase("content-length")
            }
        }
        MessageWriter.writeHead(
            head,
            framing: facts.hasLength && !dropsLength ? unsaid(orChunked: framing) : said(framing),
            connection: connection,
            extraFields: scratch,
            into: &buffer
        )
    }

    private func said(_ framing: AnswerFraming) -> MessageWriter.AnswerFraming {
        switch framing {
        case .none, .untilClose: .unsaid
        case .length(let count): .length(count)
        case .chunked: .chunked
        }
    }

    /// The pod's Content-Length says it already, and goes as it came.
    private func unsaid(orChunked framing: AnswerFraming) -> MessageWriter.AnswerFraming {
        framing == .chunked ? .chunked : .unsaid
    }

    private func write(_ timing: AnswerTiming, into buffer: inout ByteBuffer) {
        buffer.writeText("Neutrino-Request-Id: ")
        timing.requestID.write(into: &buffer)
        buffer.writeText("\r\nServer-Timing: hold;dur=")
        buffer.writeMilliseconds(timing.hold)
        buffer.writeText(", upstream;dur=")
        buffer.writeMilliseconds(timing.upstream)
        buffer.writeText("\r\n")
    }
}

/// What has to be known of a pod's fields before they are written, gathered in one pass.
private struct PodFields {
    private(set) var hasLength = false
    private(set) var hasDate = false
    /// Whether there are fields that do not go through: those that only the gateway sets, by which a client tells its refusals from a
    /// pod's, and what the pod says to the gateway alone. All are named `Neutrino-…`.
    private(set) var hasOurs = false

    @inline(__always)
    mutating func take(_ name: UnsafeRawBufferPointer) {
        switch name.count {
        case 4: if name.equalsIgnoringCase("date") { hasDate = true }
        case 14: if name.equalsIgnoringCase("content-length") { hasLength = true }
        default: break
        }
        if Self.isOurs(name) { hasOurs = true }
    }

    /// `Neutrino-…`; most names are told by their first byte.
    @inline(__always)
    static func isOurs(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count >= 9 && name[0] | 0x20 == UInt8(ascii: "n") && HeaderRules.isOurs(name)
    }
}

extension ByteBuffer {
    /// Writes a time in milliseconds with three digits after the point; what lies before 0 as 0.
    mutating func writeMilliseconds(_ time: TimeAmount) {
        let (milliseconds, fraction) = Int(max(time.nanoseconds, 0) / 1000).quotientAndRemainder(dividingBy: 1000)
        writeDecimal(milliseconds)
        writeText(".")
        if fraction < 100 { writeText("0") }
        if fraction < 10 { writeText("0") }
        writeDecimal(fraction)
    }
}
