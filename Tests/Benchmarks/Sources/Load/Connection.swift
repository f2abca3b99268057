package import NIOCore
import NIOPosix

/// One client connection: one request at a time, its owner told of the answer. Everything happens on its event loop.
package final class Connection: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// What becomes of the bodies of answers.
    package enum BodyUse: Sendable {
        case skip
        /// Kept in ``Connection/body``, at most 64 KiB.
        case keep
        /// Handed to the owner as they come.
        case stream
    }

    /// The outstanding request, by whatever number its owner knows it.
    package private(set) var tag = 0
    /// When the outstanding request was meant to be sent, and when it was.
    package private(set) var intended = NIODeadline.uptimeNanoseconds(0)
    package private(set) var sent = NIODeadline.uptimeNanoseconds(0)
    package private(set) var isBusy = false
    /// The body of the answer, where it is kept.
    package private(set) var body = ByteBuffer()
    /// Whether the owner closed it, so that its end is no news.
    package private(set) var isClosing = false

    /// Whether it can be sent on: between its opening and its end.
    package var isOpen: Bool { context != nil && !isClosing }

    private static let maxKept = 64 * 1024
    private let owner: any ConnectionOwner
    private let bodyUse: BodyUse
    private var parser: ResponseParser
    private var head: ResponseHead?
    private var context: ChannelHandlerContext?
    private var failure: String?

    init(owner: any ConnectionOwner, bodyUse: BodyUse) {
        self.owner = owner
        self.bodyUse = bodyUse
        if case .skip = bodyUse {
            parser = ResponseParser(skipsBodies: true)
        } else {
            parser = ResponseParser(skipsBodies: false)
        }
    }

    /// Sends a request; its answer, or the end of the connection, is told to the owner.
    package func send(_ bytes: ByteBuffer, tag: Int = 0, intended: NIODeadline? = nil) {
        begin(tag: tag, intended: intended)
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// Begins a request whose bytes follow by ``write(_:)``.
    package func begin(tag: Int = 0, intended: NIODeadline? = nil) {
        precondition(!isBusy, "one request at a time")
        isBusy = true
        self.tag = tag
        sent = .now()
        self.intended = intended ?? sent
        body.clear()
    }

    /// Writes part of a request; the future is done when the kernel has it.
    package func write(_ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        guard let context else { preconditionFailure("a connection is written to between its opening and its end") }
        return context.writeAndFlush(wrapOutboundOut(bytes))
    }

    package func close() {
        isClosing = true
        context?.close(promise: nil)
    }

    // MARK: ChannelInboundHandler

    package func channelActive(context: ChannelHandlerContext) {
        self.context = context
        owner.opened(self)
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        parser.feed(unwrapInboundIn(data))
        do {
            while let event = try parser.next() {
                switch event {
                case .head(let head): self.head = head
                case .body(let bytes): receive(bytes)
                case .end: finish()
                }
            }
        } catch {
            failure = "\(error)"
            context.close(promise: nil)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        if parser.close() { finish() }
        self.context = nil
        owner.closed(self, failure: failure)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = (error as? IOError).map { "errno \($0.errnoCode)" } ?? "\(type(of: error))"
        context.close(promise: nil)
    }

    private func receive(_ bytes: ByteBuffer) {
        switch bodyUse {
        case .skip: break
        case .keep: if body.readableBytes + bytes.readableBytes <= Self.maxKept { body.writeImmutableBuffer(bytes) }
        case .stream: owner.received(bytes, on: self)
        }
    }

    private func finish() {
        guard let head, isBusy else { return }
        self.head = nil
        isBusy = false
        if !head.keepsAlive { close() }
        owner.answered(head, on: self)
    }
}

/// Who sends on connections and counts what comes back.
package protocol ConnectionOwner: AnyObject {
    func opened(_ connection: Connection)
    func failedToOpen(_ problem: String)
    /// A part of a body, where bodies are streamed.
    func received(_ bytes: ByteBuffer, on connection: Connection)
    /// A whole answer. ``Connection/isClosing`` says whether another request may be sent.
    func answered(_ head: ResponseHead, on connection: Connection)
    /// The connection ended; ``Connection/isBusy`` says whether a request on it stays without an answer.
    func closed(_ connection: Connection, failure: String?)
}

extension ConnectionOwner {
    package func received(_ bytes: ByteBuffer, on connection: Connection) {}
}

/// Opens connections of one event loop for one owner.
package struct Connector {
    private let target: Target
    private let loop: any EventLoop
    private let bodyUse: Connection.BodyUse
    private let readBytes: Int

    package init(target: Target, loop: any EventLoop, bodyUse: Connection.BodyUse = .skip, readBytes: Int = 4096) {
        self.target = target
        self.loop = loop
        self.bodyUse = bodyUse
        self.readBytes = readBytes
    }

    /// Opens one; the owner hears of it, or of its failure.
    package func open(for owner: any ConnectionOwner) {
        let owner = NIOLoopBound(owner, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: readBytes))
            .connectTimeout(.seconds(5))
            .channelInitializer { [bodyUse] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Connection(owner: owner.value, bodyUse: bodyUse))
                }
            }
            .connect(to: target.address)
            .whenFailure { error in owner.value.failedToOpen(Connector.describe(error)) }
    }

    private static func describe(_ error: any Error) -> String {
        if let error = error as? IOError { return "connect errno \(error.errnoCode)" }
        return "connect \(type(of: error))"
    }
}
