package import Core
package import HTTP
package import NIOCore
package import NIOEmbedded

/// What a server codec made of some bytes, in a form to compare.
package struct ReadRequest: CustomStringConvertible {
    package var method: RequestMethod
    package var target: String
    package var version: HTTPVersion
    package var fields: [String]
    package var framing: BodyFraming
    package var body: [UInt8] = []
    package var trailers: [String]?
    package var isWhole = false
    /// As it was read; not compared.
    package let head: RequestHead

    init(_ head: RequestHead, _ framing: BodyFraming) {
        self.head = head
        method = head.method
        target = String(buffer: head.target)
        version = head.version
        fields = head.fields.lines
        self.framing = framing
    }

    package var bodyText: String { String(decoding: body, as: UTF8.self) }

    package var description: String {
        "\(method.rawValue) \(target) \(version) \(fields) \(framing) \(bodyText) \(trailers ?? []) whole: \(isWhole)"
    }
}

extension ReadRequest: Equatable {
    package static func == (one: ReadRequest, other: ReadRequest) -> Bool {
        one.method == other.method && one.target == other.target && one.version == other.version
            && one.fields == other.fields
            && one.framing == other.framing && one.body == other.body && one.trailers == other.trailers
            && one.isWhole == other.isWhole
    }
}

extension HeaderFields {
    /// Each line as `Name: value`; bytes that are not ASCII as Latin-1, so that none is lost.
    package var lines: [String] {
        var lines: [String] = []
        forEach { name, value in
            lines.append(String((Array(name) + [0x3A, 0x20] + Array(value)).map { Character(UnicodeScalar($0)) }))
        }
        return lines
    }
}

/// A server connection without a socket.
package final class RequestWire {
    package let channel: EmbeddedChannel
    package let flow: RequestFlow
    package let recorder = Recorder()

    /// Notes the parts; may pause after each end.
    package final class Recorder: ChannelInboundHandler {
        package typealias InboundIn = RequestPart
        package typealias OutboundOut = ByteBuffer

        package var requests: [ReadRequest] = []
        package var error: MessageError?
        package var parts = 0
        package var events: [String] = []
        package var onEnd: () -> Void = {}

        package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            parts += 1
            precondition(error == nil, "a part after what was invalid")
            switch unwrapInboundIn(data) {
            case .head(let head, let framing): requests.append(ReadRequest(head, framing))
            case .body(let bytes): requests[requests.count - 1].body += Array(bytes.readableBytesView)
            case .end(let trailers):
                requests[requests.count - 1].trailers = trailers?.lines
                requests[requests.count - 1].isWhole = true
                onEnd()
            case .invalid(let error): self.error = error
            }
        }

        package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { events.append("inputClosed after \(parts)") }
        }

        package func channelInactive(context: ChannelHandlerContext) { events.append("inactive after \(parts)") }
    }

    package init(_ codec: MessageCodec, limits: MessageLimits = MessageLimits()) throws {
        channel = EmbeddedChannel()
        flow = try codec.addServerHandlers(to: channel.pipeline.syncOperations, limits: limits)
        try channel.pipeline.syncOperations.addHandler(recorder)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    package var requests: [ReadRequest] { recorder.requests }
    package var error: MessageError? { recorder.error }

    package func receive(_ text: String) throws { try receive(Array(text.utf8)) }

    package func receive(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    /// Feeds the bytes in pieces of a size.
    package static func read(
        _ bytes: [UInt8],
        in piece: Int = .max,
        by codec: MessageCodec,
        limits: MessageLimits = MessageLimits()
    ) throws -> RequestWire {
        let wire = try RequestWire(codec, limits: limits)
        var start = 0
        while start < bytes.count {
            let end = start + min(piece, bytes.count - start)
            try wire.receive(Array(bytes[start..<end]))
            start = end
        }
        return wire
    }

    package static func read(_ text: String, in piece: Int = .max, by codec: MessageCodec) throws -> RequestWire {
        try read(Array(text.utf8), in: piece, by: codec)
    }
}
