import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A name server on 127.0.0.1, by datagrams and over TCP on one port, that answers what a test has put into it.
final class NameServer: Sendable {
    struct Question: Hashable, Sendable {
        var name: String
        var type: UInt16
    }

    struct State {
        /// By name and type: the records' contents as they are sent, with their lifetime in seconds.
        var records: [Question: [(lifetime: UInt32, content: [UInt8])]] = [:]
        /// Sent behind the answer to a question, with their names.
        var additional: [(name: String, type: UInt16, content: [UInt8])] = []
        /// Answers so in place of it.
        var code: UInt16?
        /// Answers so for these alone.
        var codes: [Question: UInt16] = [:]
        /// Cannot read what has an OPT record (RFC 6891), and does not repeat it.
        var isOld = false
        /// Questions that were answered, in order.
        var asked: [Question] = []
        /// Gives datagrams no answer that fits.
        var truncates = false
        /// Nor TCP.
        var truncatesAlways = false
        /// Sends no more of a datagram than so many bytes, and does not say so.
        var datagramBytes: Int?
        /// Questions that came over TCP.
        var streams = 0
        /// Answers nothing by datagrams.
        var isSilent = false
        /// Sends this before each answer.
        var forged: [UInt8]?
    }

    let state: NIOLockedValueBox<State>
    let port: Int
    private let datagrams: any Channel
    private let listener: any Channel

    init() async throws {
        let state = NIOLockedValueBox(State())
        self.state = state
        // The system knows of a port that is free for TCP; somebody else may have it for datagrams.
        var tries = 0
        while true {
            let listener = try await Self.listen(state)
            tries += 1
            do {
                datagrams = try await Self.bind(listener.localAddress!.port!, state)
                self.listener = listener
                break
            } catch {
                try await listener.close()
                if tries == 20 { throw error }
            }
        }
        port = listener.localAddress!.port!
    }

    private static func listen(_ state: NIOLockedValueBox<State>) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Stream(state))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private static func bind(_ port: Int, _ state: NIOLockedValueBox<State>) async throws -> any Channel {
        try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Datagrams(state))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    func stop() async throws {
        try await datagrams.close()
        try await listener.close()
    }

    // MARK: What it knows

    static func encoded(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// Four bytes, or sixteen.
    static func encoded(address: String) -> [UInt8] {
        switch try! SocketAddress(ipAddress: address, port: 0) {
        case .v4(let address): withUnsafeBytes(of: address.address.sin_addr) { Array($0) }
        case .v6(let address): withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
        default: []
        }
    }

    /// Replaces the addresses of a name, of both families.
    func set(_ name: String, _ addresses: [String], lifetime: UInt32 = 5) {
        for (type, isOfType) in [(UInt16(1), { !$0.contains(":") }), (28, { $0.contains(":") })]
            as [(UInt16, (String) -> Bool)]
        {
            let contents = addresses.filter(isOfType).map { (lifetime, Self.encoded(address: $0)) }
            state.withLockedValue { $0.records[Question(name: name, type: type)] = contents }
        }
    }

    /// Makes a name an alias, for questions of a type.
    func set(_ name: String, type: UInt16, aliasOf target: String, lifetime: UInt32 = 5) {
        state.withLockedValue { state in
            state.records[Question(name: name, type: type)] = [(lifetime, [0xFF] + Self.encoded(target))]
        }
    }

    func set(services: [(port: UInt16, target: String)], at name: String, lifetime: UInt32 = 5) {
        let contents = services.map { service in
            (
                lifetime,
                [0, 1, 0, 1, UInt8(service.port >> 8), UInt8(service.port & 0xFF)] + Self.encoded(service.target)
            )
        }
        state.withLockedValue { $0.records[Question(name: name, type: 33)] = contents }
    }

    // MARK: Answers

    private static func read(_ message: ByteBuffer) -> Question? {
        var bytes = message
        bytes.moveReaderIndex(forwardBy: 12)
        var labels: [String] = []
        while let length: UInt8 = bytes.readInteger(), length > 0 {
            labels.append(bytes.readString(length: Int(length))!.lowercased())
        }
        return bytes.readInteger(as: UInt16.self).map { Question(name: labels.joined(separator: "."), type: $0) }
    }

    private static func answer(_ message: ByteBuffer, _ question: Question, _ state: State, overTCP: Bool) -> ByteBuffer
    {
        let records = state.records[question] ?? []
        let isKnown = state.records.keys.contains { $0.name == question.name }
        let code = state.code ?? state.codes[question] ?? (isKnown ? 0 : 3)
        let isCut = state.truncates && !overTCP || state.truncatesAlways
        var answer = ByteBuffer()
        answer.writeInteger(message.getInteger(at: message.readerIndex, as: UInt16.self)!)
        if state.isOld, message.getInteger(at: message.readerIndex + 10, as: UInt16.self) != 0 {
            answer.writeMultipleIntegers(UInt16(0x8181), UInt16(0), UInt16(0), UInt16(0), UInt16(0))
            return answer
        }
        answer.writeInteger(UInt16(0x8180) | code | (isCut ? 0x0200 : 0))
        answer.writeMultipleIntegers(
            UInt16(1),
            UInt16(isCut || code != 0 ? 0 : records.count),
            UInt16(0),
            UInt16(isCut ? 0 : state.additional.count)
        )
        // The question alone, without the OPT record behind it.
        answer.writeImmutableBuffer(
            message.getSlice(at: message.readerIndex + 12, length: encoded(question.name).count + 4)!
        )
        guard !isCut else { return answer }
        for record in code == 0 ? records : [] {
            let isAlias = record.content.first == 0xFF
            let content = isAlias ? Array(record.content.dropFirst()) : record.content
            // The name by a pointer to the question.
            answer.writeMultipleIntegers(UInt16(0xC00C), isAlias ? 5 : question.type, UInt16(1), record.lifetime)
            answer.writeInteger(UInt16(content.count))
            answer.writeBytes(content)
        }
        for record in state.additional {
            answer.writeBytes(encoded(record.name))
            answer.writeMultipleIntegers(record.type, UInt16(1), UInt32(7), UInt16(record.content.count))
            answer.writeBytes(record.content)
        }
        return answer
    }

    private final class Datagrams: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>

        private let state: NIOLockedValueBox<State>

        init(_ state: NIOLockedValueBox<State>) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            guard let question = NameServer.read(envelope.data) else { return }
            let state = state.withLockedValue { state in
                state.asked.append(question)
                return state
            }
            guard !state.isSilent else { return }
            let answer = NameServer.answer(envelope.data, question, state, overTCP: false)
            let sent = answer.getSlice(at: 0, length: min(state.datagramBytes ?? .max, answer.readableBytes))
            for bytes in [state.forged.map { ByteBuffer(bytes: $0) }, sent].compactMap({ $0 }) {
                let reply = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: bytes)
                context.writeAndFlush(wrapOutboundOut(reply), promise: nil)
            }
        }
    }

    private final class Stream: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let state: NIOLockedValueBox<State>

        init(_ state: NIOLockedValueBox<State>) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var bytes = unwrapInboundIn(data)
            guard let length: UInt16 = bytes.readInteger(), let message = bytes.readSlice(length: Int(length)),
                let question = NameServer.read(message)
            else { return }
            let state = state.withLockedValue { state in
                state.streams += 1
                return state
            }
            let answer = NameServer.answer(message, question, state, overTCP: true)
            var framed = ByteBuffer(integer: UInt16(answer.readableBytes))
            framed.writeImmutableBuffer(answer)
            // In two pieces, as TCP may.
            context.writeAndFlush(wrapOutboundOut(framed.readSlice(length: 7)!), promise: nil)
            context.writeAndFlush(wrapOutboundOut(framed), promise: nil)
        }
    }
}
