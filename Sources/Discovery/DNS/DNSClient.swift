import Core
import NIOCore
import NIOPosix

/// Asks one server one question: by a datagram, and over TCP where the answer does not fit in one (RFC 7766 §5), or did not come whole.
struct DNSClient: Sendable {
    let group: any EventLoopGroup

    /// - Throws: A ``DiscoveryError`` where no answer came in time.
    func ask(
        _ name: String,
        _ type: DNSMessage.RecordType,
        of server: ResolverSettings.Server,
        timeout: TimeAmount
    ) async throws(DiscoveryError) -> DNSMessage.Answer {
        // Each question from a port of its own and with an id by chance: an answer is hard to guess (RFC 5452).
        let id = UInt16.random(in: .min ... .max)
        guard let question = DNSMessage.question(name, type, id: id, datagramBytes: Self.datagramBytes),
            let plain = DNSMessage.question(name, type, id: id)
        else {
            throw DiscoveryError(.invalidConfiguration, "\(quoted(name)) is no name")
        }
        let answer = try await ask(question, of: server, timeout)
        // FORMERR and NOTIMP are how servers from before EDNS say that they do not know it (RFC 6891 §7).
        guard [1, 4].contains(answer.code) else { return answer }
        return try await ask(plain, of: server, timeout)
    }

    /// What fits into a packet of any network, headers included (dnsflagday.net/2020).
    private static let datagramBytes: UInt16 = 1232
    /// What is taken: any datagram, since not every server keeps to what it is told; one that is longer would be cut without a word.
    private static let longestDatagram = 64 << 10

    private func ask(
        _ question: ByteBuffer,
        of server: ResolverSettings.Server,
        _ timeout: TimeAmount
    ) async throws(DiscoveryError) -> DNSMessage.Answer {
        var way = ""
        do {
            let address = try SocketAddress(ipAddress: server.host, port: server.port)
            let answer = try await exchange(question, server, timeout) { promise in
                DatagramBootstrap(group: group)
                    .channelOption(
                        .recvAllocator,
                        value: FixedSizeRecvByteBufferAllocator(capacity: Self.longestDatagram)
                    )
                    .channelInitializer { channel in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(DatagramAnswer(question, promise))
                        }
                    }
                    .connect(to: address)
            }
            guard answer.isTruncated || answer.isBroken else { return answer }
            way = " over TCP"
            let whole = try await exchange(question, server, timeout) { promise in
                ClientBootstrap(group: group).connectTimeout(timeout).channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(StreamAnswer(question, promise))
                    }
                }
                .connect(to: address)
            }
            // Without its records it would be taken for no addresses.
            guard !whole.isTruncated else {
                throw DiscoveryError(
                    .invalidAnswer,
                    "the name server \(server) cuts its answer short over TCP too"
                )
            }
            guard !whole.isBroken else {
                throw DiscoveryError(.invalidAnswer, "the answer of the name server \(server) cannot be read")
            }
            return whole
        } catch let error as DiscoveryError {
            throw error
        } catch {
            throw DiscoveryError(
                .unreachable,
                "the name server \(server) cannot be asked\(way): \(NetworkFailure.words(of: error))"
            )
        }
    }

    /// Opens a channel whose handler asks, and waits for what it makes of the answer.
    private func exchange(
        _ question: ByteBuffer,
        _ server: ResolverSettings.Server,
        _ timeout: TimeAmount,
        _ open: (EventLoopPromise<DNSMessage.Answer>) -> EventLoopFuture<any Channel>
    ) async throws -> DNSMessage.Answer {
        let loop = group.next()
        let promise = loop.makePromise(of: DNSMessage.Answer.self)
        let channel: any Channel
        do {
            channel = try await open(promise).get()
        } catch {
            promise.fail(error)
            throw error
        }
        let timer = loop.scheduleTask(in: timeout) {
            promise.fail(DiscoveryError(.unreachable, "the name server \(server) does not answer"))
        }
        return try await withTaskCancellationHandler {
            defer {
                timer.cancel()
                channel.close(promise: nil)
            }
            return try await promise.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
    }
}

/// What both ways have in common: the promise is kept with the first answer to the question, and broken when the channel ends.
private class AnswerHandler {
    let question: ByteBuffer
    private var promise: EventLoopPromise<DNSMessage.Answer>?

    init(_ question: ByteBuffer, _ promise: EventLoopPromise<DNSMessage.Answer>) {
        self.question = question
        self.promise = promise
    }

    /// - Returns: Whether it was the answer.
    func take(_ bytes: ByteBuffer) -> Bool {
        guard let answer = DNSMessage.answer(bytes, to: question) else { return false }
        promise?.succeed(answer)
        promise = nil
        return true
    }

    func fail(_ error: any Error) {
        promise?.fail(error)
        promise = nil
    }
}

private final class DatagramAnswer: AnswerHandler, ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    func channelActive(context: ChannelHandlerContext) {
        guard let server = context.remoteAddress else { return fail(ChannelError.unknownLocalAddress) }
        context.writeAndFlush(wrapOutboundOut(AddressedEnvelope(remoteAddress: server, data: question)), promise: nil)
    }

    /// What is no answer to the question is passed over: it may be forged.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { _ = take(unwrapInboundIn(data).data) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }
    func channelInactive(context: ChannelHandlerContext) { fail(ChannelError.eof) }
}

/// Each message behind its length (RFC 1035 §4.2.2).
private final class StreamAnswer: AnswerHandler, ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var bytes = ByteBuffer()

    func channelActive(context: ChannelHandlerContext) {
        var message = ByteBuffer(integer: UInt16(question.readableBytes))
        message.writeImmutableBuffer(question)
        context.writeAndFlush(wrapOutboundOut(message), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes.writeImmutableBuffer(unwrapInboundIn(data))
        guard let length: UInt16 = bytes.getInteger(at: bytes.readerIndex),
            let message = bytes.getSlice(at: bytes.readerIndex + 2, length: Int(length))
        else { return }
        if !take(message) { fail(DiscoveryError(.invalidAnswer, "a name server's answer is none to the question")) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }
    func channelInactive(context: ChannelHandlerContext) { fail(ChannelError.eof) }
}
