package import Core
package import HTTP
package import NIOCore
package import NIOEmbedded

/// What a client codec made of some bytes, in a form to compare.
package struct ReadAnswer: Equatable, CustomStringConvertible {
    package var status: Int
    package var reason: String
    package var version: HTTPVersion
    package var fields: [String]
    package var framing: BodyFraming
    package var keepAlive: Bool
    package var body: [UInt8] = []
    package var trailers: [String]?
    package var isWhole = false

    package var bodyText: String { String(decoding: body, as: UTF8.self) }

    package var description: String {
        "\(status) \(reason) \(version) \(fields) \(framing) keep: \(keepAlive) \(bodyText) \(trailers ?? []) whole: \(isWhole)"
    }
}

/// A client connection without a socket.
package final class AnswerWire {
    package let channel: EmbeddedChannel
    package let recorder = Recorder()

    package final class Recorder: ChannelInboundHandler {
        package typealias InboundIn = ResponsePart
        package typealias OutboundOut = OutgoingRequestPart

        package var answers: [ReadAnswer] = []
        package var interim: [Int] = []
        package var error: MessageError?
        package var isInactive = false
        package var onEnd: (ChannelHandlerContext) -> Void = { _ in }

        package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            precondition(error == nil, "a part after what was invalid")
            switch unwrapInboundIn(data) {
            case .informational(let head): interim.append(head.status)
            case .head(let head, let framing, let keepAlive):
                answers.append(
                    ReadAnswer(
                        status: head.status,
                        reason: head.reason,
                        version: head.version,
                        fields: head.fields.lines,
                        framing: framing,
                        keepAlive: keepAlive
                    )
                )
            case .body(let bytes): answers[answers.count - 1].body += Array(bytes.readableBytesView)
            case .end(let trailers):
                answers[answers.count - 1].trailers = trailers?.lines
                answers[answers.count - 1].isWhole = true
                onEnd(context)
            case .invalid(let error): self.error = error
            }
        }

        package func channelInactive(context: ChannelHandlerContext) { isInactive = true }

        package func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    package init(_ codec: MessageCodec, limits: MessageLimits = MessageLimits()) throws {
        channel = EmbeddedChannel()
        try codec.addClientHandlers(to: channel.pipeline.syncOperations, limits: limits)
        try channel.pipeline.syncOperations.addHandler(recorder)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    package var answers: [ReadAnswer] { recorder.answers }
    package var error: MessageError? { recorder.error }
    package var interim: [Int] { recorder.interim }

    package func send(_ method: RequestMethod = .get) throws {
        let head = OutgoingRequestPart.head(ByteBuffer(string: "\(method.rawValue) / HTTP/1.1\r\n\r\n"), method: method)
        try channel.writeOutbound(head)
    }

    package func receive(_ text: String) throws { try receive(Array(text.utf8)) }

    package func receive(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    /// Sends a request of each method and feeds the bytes of the answers in pieces of a size.
    package static func read(
        _ bytes: [UInt8],
        to methods: [RequestMethod] = [.get],
        in piece: Int = .max,
        by codec: MessageCodec
    ) throws -> AnswerWire {
        let wire = try AnswerWire(codec)
        for method in methods { try wire.send(method) }
        var start = 0
        while start < bytes.count {
            let end = start + min(piece, bytes.count - start)
            try wire.receive(Array(bytes[start..<end]))
            start = end
        }
        return wire
    }

    package static func read(
        _ text: String,
        to method: RequestMethod = .get,
        in piece: Int = .max,
        by codec: MessageCodec
    ) throws -> AnswerWire {
        try read(Array(text.utf8), to: [method], in: piece, by: codec)
    }
}
