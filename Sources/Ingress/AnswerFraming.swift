import Core
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
    let version: HTTPVersion
    /// Whether the connection ends with this answer.
    let closes: Bool

    /// Writes status line, the pod's fields as they came, and the gateway's own.
    /// - Parameter date: For an answer without one (RFC 9110 §6.6.1).
    func write(_ head: ResponseHead, timing: AnswerTiming?, date: DateStamp, into buffer: inout ByteBuffer) {
        var facts = PodFields()
        head.fields.forEach { name, value in facts.take(name, value) }

        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeDecimal(head.status)
        buffer.writeStaticString(" ")
        buffer.writeString(head.reason)
        buffer.writeStaticString("\r\n")
        // 204 has no Content-Length (RFC 9110 §8.6); with HEAD and 304 it tells of the body that is not there.
        let keepsLength: Bool
        switch framing {
        case .none: keepsLength = head.status != 204
        case .length: keepsLength = facts.hasLength
        case .chunked, .untilClose: keepsLength = false
        }
        if facts.hasOurs || (facts.hasLength && !keepsLength) {
            var fields = head.fields
            fields.removeAll { name, _ in
                PodFields.isOurs(name) || (!keepsLength && name.equalsIgnoringCase("content-length"))
            }
            fields.write(into: &buffer)
        } else {
            head.fields.write(into: &buffer)
        }
        if !facts.hasDate { date.write(into: &buffer) }
        switch framing {
        case .length(let count) where !facts.hasLength:
            buffer.writeStaticString("Content-Length: ")
            buffer.writeDecimal(count)
            buffer.writeStaticString("\r\n")
        case .chunked:
            buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .none, .length, .untilClose:
            break
        }
        writeConnection(into: &buffer)
        if let timing { writeTiming(timing, into: &buffer) }
        buffer.writeStaticString("\r\n")
    }

    /// `Connection`, where it says other than the version does (RFC 9112 §9.3).
    func writeConnection(into buffer: inout ByteBuffer) {
        if closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if version == .http10 {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
    }

    private func writeTiming(_ timing: AnswerTiming, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("Neutrino-Request-Id: ")
        buffer.writeString(timing.requestID.description)
        buffer.writeStaticString("\r\nServer-Timing: hold;dur=")
        buffer.writeMilliseconds(timing.hold)
        buffer.writeStaticString(", upstream;dur=")
        buffer.writeMilliseconds(timing.upstream)
        buffer.writeStaticString("\r\n")
    }
}

/// What has to be known of a pod's fields before they are written, gathered in one pass.
private struct PodFields {
    private(set) var hasLength = false
    private(set) var hasDate = false
    /// Whether there are fields that only the gateway sets: a client tells its refusals from a pod's by them.
    private(set) var hasOurs = false

    @inline(__always)
    mutating func take(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        switch name.count {
        case 4: if name.equalsIgnoringCase("date") { hasDate = true }
        case 14: if name.equalsIgnoringCase("content-length") { hasLength = true }
        default: break
        }
        if Self.isOurs(name) { hasOurs = true }
    }

    static func isOurs(_ name: UnsafeRawBufferPointer) -> Bool {
        switch name.count {
        case 15: name.equalsIgnoringCase("neutrino-reason")
        case 19: name.equalsIgnoringCase("neutrino-request-id")
        default: false
        }
    }
}

extension ByteBuffer {
    /// Writes a number of 0 and above in decimal.
    mutating func writeDecimal(_ number: Int) {
        _ = withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var (rest, index) = (UInt(number), 20)
            repeat {
                index -= 1
                digits[index] = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
                rest /= 10
            } while rest > 0
            return writeBytes(UnsafeRawBufferPointer(rebasing: digits[index...]))
        }
    }

    /// Writes the size line of a chunk (RFC 9112 §7.1).
    mutating func writeChunkSize(_ size: Int) {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { digits in
            var (rest, index) = (size, 16)
            repeat {
                index -= 1
                let digit = UInt8(truncatingIfNeeded: rest & 15)
                digits[index] = digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a")
                rest >>= 4
            } while rest > 0
            _ = writeBytes(UnsafeRawBufferPointer(rebasing: digits[index...]))
        }
        writeStaticString("\r\n")
    }

    /// Writes a time in milliseconds with three digits after the point; what lies before 0 as 0.
    mutating func writeMilliseconds(_ time: TimeAmount) {
        let microseconds = Int(max(time.nanoseconds, 0) / 1000)
        writeDecimal(microseconds / 1000)
        writeStaticString(".")
        let fraction = microseconds % 1000
        if fraction < 100 { writeStaticString("0") }
        if fraction < 10 { writeStaticString("0") }
        writeDecimal(fraction)
    }
}
