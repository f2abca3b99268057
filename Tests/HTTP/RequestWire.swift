import Core
import NIOCore
import NIOEmbedded

@testable import HTTP

/// What a server codec made of some bytes, in a form to compare.
struct ReadRequest: Equatable, CustomStringConvertible {
    var method: RequestMethod
    var target: String
    var version: HTTPVersion
    var fields: [String]
    var framing: BodyFraming
    var body: [UInt8] = []
    var trailers: [String]?
    var isWhole = false

    init(_ head: RequestHead, _ framing: BodyFraming) {
        method = head.method
        target = String(buffer: head.target)
        version = head.version
        fields = head.fields.lines
        self.framing = framing
    }

    var bodyText: String { String(decoding: body, as: UTF8.self) }

    var description: String {
        "\(method.rawValue) \(target) \(version) \(fields) \(framing) \(bodyText) \(trailers ?? []) whole: \(isWhole)"
    }
}

extension HeaderFields {
    /// Each line as `Name: value`; bytes that are not ASCII as Latin-1, so that none is lost.
    var lines: [String] {
        var lines: [String] = []
        forEach { name, value in
            lines.append(String((Array(name) + [0x3A, 0x20] + Array(value)).map { Character(UnicodeScalar($0)) }))
        }
        return lines
    }
}

/// A server connection without a socket.
final class RequestWire {
    let channel: EmbeddedChannel
    let flow: RequestFlow
    let recorder = Recorder()

    /// Notes the parts; may pause after each end.
    final class Recorder: ChannelInboundHandler {
        typealias InboundIn = RequestPart
        typealias OutboundOut = ByteBuffer

        var requests: [ReadRequest] = []
        var error: MessageError?
        var parts = 0
        var events: [String] = []
        var onEnd: () -> Void = {}

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
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

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event as? ChannelEvent == .inputClosed { events.append("inputClosed after \(parts)") }
        }

        func channelInactive(context: ChannelHandlerContext) { events.append("inactive after \(parts)") }
    }

    init(_ codec: MessageCodec, limits: MessageLimits = MessageLimits()) throws {
        channel = EmbeddedChannel()
        flow = try codec.addServerHandlers(to: channel.pipeline.syncOperations, limits: limits)
        try channel.pipeline.syncOperations.addHandler(recorder)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/none")).wait()
    }

    deinit { _ = try? channel.finish(acceptAlreadyClosed: true) }

    var requests: [ReadRequest] { recorder.requests }
    var error: MessageError? { recorder.error }

    func receive(_ text: String) throws { try receive(Array(text.utf8)) }

    func receive(_ bytes: [UInt8]) throws { try channel.writeInbound(ByteBuffer(bytes: bytes)) }

    /// Feeds the bytes in pieces of a size.
    static func read(
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

    static func read(_ text: String, in piece: Int = .max, by codec: MessageCodec) throws -> RequestWire {
        try read(Array(text.utf8), in: piece, by: codec)
    }
}
