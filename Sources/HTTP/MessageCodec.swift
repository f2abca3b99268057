package import NIOCore

extension MessageCodec {
    /// Adds the handlers of a server connection. The next handler reads ``RequestPart`` and writes plain `ByteBuffer`s, which it
    /// has framed itself.
    ///
    /// - The end of the connection in the middle of a request shows as `channelInactive` without ``RequestPart/end(trailers:)``; where
    ///   the channel allows half-closure, as ``RequestPart/invalid(_:)`` before the event.
    /// - After a request that ends its connection (``Core/RequestHead/keepsConnection``) what follows is dropped unread.
    /// - Pipelined requests come one after the other, as fast as they are decoded, unless the handler says otherwise through
    ///   the ``RequestFlow`` that this returns.
    @discardableResult
    package func addServerHandlers(
        to pipeline: ChannelPipeline.SynchronousOperations,
        limits: MessageLimits = MessageLimits()
    ) throws -> RequestFlow {
        let flow = RequestFlow()
        switch self {
        case .nio:
            let gate = NIORequestGate(flow: flow)
            try pipeline.addHandler(gate)
            try pipeline.addHandler(NIORequestAdapter.decoder(limits: limits))
            try pipeline.addHandler(NIORequestAdapter(flow: flow, gate: gate, limits: limits))
        case .bytes:
            try pipeline.addHandler(BytesRequestHandler(flow: flow, limits: limits))
        }
        return flow
    }

    /// Adds the handlers of a client connection. The next handler writes ``OutgoingRequestPart`` and reads ``ResponsePart``.
    ///
    /// One request at a time: the next is written after ``ResponsePart/end(trailers:)``, and only where `keepAlive` was true.
    /// - An answer that ends too early (the connection ends, is reset or is closed from here before the last chunk, before the whole of
    ///   Content-Length, or in a head) ends in ``ResponsePart/invalid(_:)``, never in an end. One that is delimited by the end of the
    ///   connection ends well only by an orderly end.
    /// - A connection that ends before the first byte of an answer shows as `channelInactive` alone.
    /// - Bytes that no request asked for are ``ResponsePart/invalid(_:)``: the connection is of no more use.
    package func addClientHandlers(
        to pipeline: ChannelPipeline.SynchronousOperations,
        limits: MessageLimits = MessageLimits()
    ) throws {
        switch self {
        case .nio:
            try pipeline.addHandler(NIORawRequestEncoder())
            try pipeline.addHandler(NIOResponseAdapter.decoder(limits: limits))
            try pipeline.addHandler(NIOResponseAdapter(limits: limits))
        case .bytes:
            try pipeline.addHandler(BytesResponseHandler(limits: limits))
        }
    }
}

/// How the handler of a server connection holds requests back: while one is being answered, or while its body is being put away.
///
/// Used on the connection's event loop only. Reading from the socket goes on while paused, so that a client that leaves is noticed
/// and nothing is registered and unregistered for each request; it stops when ``heldBytesBound`` is reached. So a
/// connection holds at most that bound and one socket read of bytes that are not decoded (with `.nio`, also the parts that
/// were decoded from the read in which it was paused). Nobody need use it: without a pause everything comes at once.
package final class RequestFlow {
    /// Reading stops when that many bytes wait.
    package static let heldBytesBound = 64 * 1024

    /// Whether parts are held back.
    package private(set) var isPaused = false
    /// The codec's handler, from when it is added to the pipeline until it is removed.
    var source: (any RequestFlowSource)?

    init() {}

    /// Whether bytes wait that were not delivered: between two requests, the beginning of the next. With `.nio` only those that came
    /// while it was paused are known.
    package var holdsBytes: Bool { source?.holdsBytes ?? false }

    /// From now on no part is delivered. The usual place is the handling of ``RequestPart/end(trailers:)``: then the next request is
    /// not even decoded.
    package func pause() { isPaused = true }

    /// Parts come again; those at hand may be delivered before this returns (not where it is called while one is being delivered), and
    /// are followed by `channelReadComplete`.
    package func resume() {
        guard isPaused else { return }
        isPaused = false
        source?.flowResumed()
    }
}

/// The handler that delivers parts.
protocol RequestFlowSource: AnyObject {
    var holdsBytes: Bool { get }
    func flowResumed()
}
