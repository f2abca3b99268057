package import Core
package import NIOCore

/// Writes messages as bytes. What is written has been checked when it was read; nothing is checked here.
package enum MessageWriter {
    /// The interim answer that asks for a body (RFC 9110 §15.2.1).
    package static let continueBytes: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    /// Writes the head of a request to a pod, with the empty line that ends it.
    ///
    /// The target goes as it is. `Host` is written first where the fields have none (an HTTP/1.0 client). The body goes with a
    /// Content-Length; without a body there is none, except with the methods that lead one to expect a body (RFC 9110 §8.6).
    /// - Parameter authority: `host:port` of the pod.
    package static func writeHead(_ request: OutboundRequest, authority: String, into buffer: inout ByteBuffer) {
        buffer.reserveCapacity(
            minimumWritableBytes: request.target.readableBytes + request.fields.byteCount
                + request.extraFields.readableBytes + authority.utf8.count + 96
        )
        buffer.writeString(request.method.rawValue)
        buffer.writeText(" ")
        buffer.writeImmutableBuffer(request.target)
        buffer.writeText(" HTTP/1.1\r\n")
        if !request.fields.contains("host") {
            buffer.writeText("Host: ")
            buffer.writeString(authority)
            buffer.writeText("\r\n")
        }
        request.fields.write(into: &buffer)
        buffer.writeImmutableBuffer(request.extraFields)
        switch (request.body, request.method) {
        case (.none, .post), (.none, .put), (.none, .patch): buffer.writeContentLength(0)
        case (.none, _): break
        case (.memory, _), (.spooled, _): buffer.writeContentLength(request.body.byteCount)
        }
        buffer.writeText("\r\n")
    }

    /// How an answer's body is delimited, as its head says.
    package enum AnswerFraming: Sendable, Equatable {
        /// Nothing is written about it: no body (HEAD, 204, 304), or one that ends with the connection.
        case unsaid
        case length(Int)
        case chunked
    }

    /// What an answer's head says about its connection; HTTP/1.1 keeps it open unsaid, HTTP/1.0 closes it (RFC 9112 §9.3).
    package enum AnswerConnection: Sendable {
        case unsaid
        case close
        case keepAlive
    }

    /// Writes the head of an answer, with the empty line that ends it.
    ///
    /// `fields` holds neither `Transfer-Encoding` nor `Connection`; a `Content-Length` in it goes where `framing` says something else.
    /// - Parameter extraFields: Further field lines, each ended by CRLF.
    package static func writeHead(
        _ head: ResponseHead,
        framing: AnswerFraming,
        connection: AnswerConnection = .unsaid,
        extraFields: ByteBuffer = ByteBuffer(),
        into buffer: inout ByteBuffer
    ) {
        buffer.reserveCapacity(
            minimumWritableBytes: head.fields.byteCount + extraFields.readableBytes + head.reason.utf8.count + 96
        )
        buffer.writeText("HTTP/1.1 ")
        buffer.writeDecimal(head.status)
        buffer.writeText(" ")
        buffer.writeString(head.reason)
        buffer.writeText("\r\n")
        if framing != .unsaid, head.fields.contains("content-length") {
            var fields = head.fields
            fields.removeAll(named: "content-length")
            fields.write(into: &buffer)
        } else {
            head.fields.write(into: &buffer)
        }
        buffer.writeImmutableBuffer(extraFields)
        switch framing {
        case .unsaid: break
        case .length(let length): buffer.writeContentLength(length)
        case .chunked: buffer.writeText("Transfer-Encoding: chunked\r\n")
        }
        switch connection {
        case .unsaid: break
        case .close: buffer.writeText("Connection: close\r\n")
        case .keepAlive: buffer.writeText("Connection: keep-alive\r\n")
        }
        buffer.writeText("\r\n")
    }

    /// Writes what goes before the bytes of a chunk (RFC 9112 §7.1). Behind them goes a CRLF.
    /// - Precondition: `size` is above 0: a chunk of 0 ends the body.
    package static func writeChunkStart(size: Int, into buffer: inout ByteBuffer) {
        precondition(size > 0, "a chunk has bytes")
        withUnsafeTemporaryAllocation(byteCount: 18, alignment: 1) { digits in
            var (start, rest) = (16, size)
            digits[16] = 13
            digits[17] = 10
            while rest > 0 {
                start -= 1
                digits[start] = HexDigits.lower(UInt8(truncatingIfNeeded: rest) & 15)
                rest >>= 4
            }
            buffer.writeRaw(UnsafeRawBufferPointer(rebasing: digits[start...]))
        }
    }

    /// Writes the last chunk and the trailers.
    package static func writeLastChunk(trailers: HeaderFields? = nil, into buffer: inout ByteBuffer) {
        buffer.writeText("0\r\n")
        trailers?.write(into: &buffer)
        buffer.writeText("\r\n")
    }
}

extension ByteBuffer {
    fileprivate mutating func writeContentLength(_ length: Int) {
        writeText("Content-Length: ")
        writeDecimal(length)
        writeText("\r\n")
    }
}
