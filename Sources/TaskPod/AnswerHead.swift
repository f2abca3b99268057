import Core
import HTTP
import NIOCore

/// Writes the heads of a pod's answers.
enum AnswerHead {
    /// - Parameters:
    ///   - request: What is answered; nil where it could not be read.
    ///   - capacity: For `Neutrino-Capacity`.
    ///   - fields: Writes further field lines, each ended by CRLF.
    static func write(
        status: Int,
        reason: String? = nil,
        framing: BodyFraming,
        keepsConnection: Bool,
        _ request: RequestHead?,
        _ capacity: ResourceVector?,
        into buffer: inout ByteBuffer,
        fields: (inout ByteBuffer) -> Void
    ) {
        buffer.writeStaticString("HTTP/1.1 ")
        if status == 200, reason == nil {
            buffer.writeStaticString("200 OK\r\n")
        } else {
            buffer.writeString("\(status) \(reason ?? ReasonPhrase.of(status))\r\n")
        }
        fields(&buffer)
        switch framing {
        case .none, .untilClose: break
        case .length(let count): buffer.writeString("Content-Length: \(count)\r\n")
        case .chunked: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        }
        if let capacity {
            buffer.writeStaticString(ResourceHeader.capacity)
            buffer.writeStaticString(": ")
            ResourceHeader.write(capacity, into: &buffer)
            buffer.writeStaticString("\r\n")
        }
        if !keepsConnection {
            buffer.writeStaticString("Connection: close\r\n")
        } else if request?.version == .http10 {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }
}
