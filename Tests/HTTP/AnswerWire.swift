import Core
import NIOCore
import NIOEmbedded

@testable import HTTP

/// What a client codec made of some bytes, in a form to compare.
struct ReadAnswer: Equatable, CustomStringConvertible {
    var status: Int
    var reason: String
    var version: HTTPVersion
    var fields: [String]
    var framing: BodyFraming
    var keepAlive: Bool
    var body: [UInt8] = []
    var trailers: [String]?
    var isWhole = false

    var bodyText: String { String(decoding: body, as: UTF8.self) }

    var description: String {
        "\(status) \(reason) \(version) \(fields) \(framing) keep: \(keepAlive) \(bodyText) \(trailers ?? []) whole: \(isWhole)"
    }
}

/// A client connection without a socket.
final class AnswerWire {
    let channel: EmbeddedChannel
    let recorder = Recorder()

    final class Recorder: ChannelInboundHandler {
        typealias InboundIn = ResponsePart
        typealias OutboundOut = OutgoingRequestPart

        var answers: [ReadAnswer] = []
        var interim: [Int] = []
        var error: MessageError?
        var isInactive = false
        var onEnd: (ChannelHandlerContext) -> Void = { _ in }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
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

        func channelInactive(context: ChannelHandlerContext) { isInactive = true }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {}
    }

    init(_ codec: MessageCodec, limits: MessageLimits = MessageLimits()) throws {
        channel = EmbeddedChannel()
        try codec.addClientHandlers(to: channel.pipeline.syncOperations, limits: limits)
        try channel.pipeline.syncOperations.addHandler(recorder)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    var answers: [ReadAnswer] { recorder.answers }
    var error: MessageError? { recorder.error }
    var interim: [Int] { recorder.interim }

    func send(_ method: RequestMethod = .get) throws {
        let head = OutgoingRequestPart.head(ByteBuffer(string: "\(method.rawValue) / HTTP/1.1\r\n\r\n"), method: method)
        try channel.writeOutbound(head)
    }

    func receive(_ text: String) throws { try receive(Array(text.utf8)) }

    func receive(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    /// Sends a request of each method and feeds the bytes of the answers in pieces of a size.
    static func read(
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

    static func read(
        _ text: String,
        to method: RequestMethod = .get,
        in piece: Int = .max,
        by codec: MessageCodec
    ) throws -> AnswerWire {
        try read(Array(text.utf8), to: [method], in: piece, by: codec)
    }
}
