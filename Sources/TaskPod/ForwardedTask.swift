import Core
import HTTP
import NIOCore

/// A task that the server behind the sidecar does: its request and its answer pass through as they come, in both directions no faster
/// than the other side takes them.
final class ForwardedTask: PodExchange {
    /// nil once the client has left.
    private var connection: PodConnection?
    private let pod: PodState
    private let server: UpstreamServer
    private let eventLoop: any EventLoop
    private let head: RequestHead
    private let framing: BodyFraming
    private let needs: ResourceVector
    private var holdsResources = true
    private var upstream: UpstreamConnection?
    private var channel: (any Channel)?
    /// What came of the request's body before the connection was there.
    private var waiting: [ByteBuffer] = []
    private var waitingEnd: HeaderFields??
    private var requestIsSent = false
    private var answerHasBegun = false
    private var mayKeepUpstream = false
    private var isOver = false
    private var holdsClient = false
    private var grace: Scheduled<Void>?

    /// Takes a task, or answers 400 or 503 and returns nil.
    static func make(
        _ connection: PodConnection,
        _ head: RequestHead,
        _ framing: BodyFraming,
        to server: UpstreamServer
    ) -> ForwardedTask? {
        let pod = connection.pod
        guard let needs = pod.needs(of: head) else {
            PodRefusal.writeUnreadableNeeds(to: connection)
            return nil
        }
        do throws(AdmissionLedger.Refusal) {
            try pod.admit(needs, id: head.fields.first("neutrino-request-id"))
        } catch {
            PodRefusal.write(error, needs: needs, to: connection)
            return nil
        }
        let task = ForwardedTask(connection, head, framing, needs, server)
        task.connect()
        return task.isOver ? nil : task
    }

    private init(
        _ connection: PodConnection,
        _ head: RequestHead,
        _ framing: BodyFraming,
        _ needs: ResourceVector,
        _ server: UpstreamServer
    ) {
        self.connection = connection
        pod = connection.pod
        self.head = head
        self.framing = framing
        self.needs = needs
        self.server = server
        eventLoop = connection.eventLoop
    }

    // MARK: The way to the server

    private func connect() {
        server.connect(on: eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let channel): self.connected(channel)
            case .failure(let error): self.notConnected(error)
            }
        }
        // A body waits with the client while there is nowhere to send it.
        if upstream == nil, !isOver, framing != .none { holdClient(true) }
    }

    private func connected(_ channel: any Channel) {
        guard !isOver else { return server.keep(channel) }
        guard let upstream = try? channel.pipeline.syncOperations.handler(type: UpstreamConnection.self) else {
            // It ended between being made and being used.
            return notConnected(ChannelError.ioOnClosedChannel)
        }
        self.channel = channel
        self.upstream = upstream
        upstream.begin(self)
        upstream.send(.head(requestHead(), method: head.method))
        for bytes in waiting { send(bytes) }
        waiting = []
        if let end = waitingEnd {
            sendEnd(end)
        } else {
            connection?.writeContinue()
        }
        holdClient(!upstream.isWritable)
    }

    private func notConnected(_ error: any Error) {
        guard !isOver else { return }
        server.unreachable(error)
        isOver = true
        holdClient(false)
        let free = release(as: .failed)
        // 503, not 502: no byte of the request has reached the server, so it may be sent to another pod.
        connection?.refuse(
            status: 503,
            "cannot connect to the server: \(server.words(of: error))",
            capacity: capacityField(free)
        )
        connection = nil
    }

    /// The head as the server gets it: the end-to-end fields, and the body framed anew.
    private func requestHead() -> ByteBuffer {
        var fields = head.fields
        HeaderRules.removeHopByHop(&fields)
        fields.removeAll { name, _ in name.equalsIgnoringCase("content-length") || name.equalsIgnoringCase("expect") }
        var bytes = ByteBuffer()
        bytes.reserveCapacity(fields.byteCount + head.target.readableBytes + 128)
        bytes.writeString(head.method.rawValue)
        bytes.writeStaticString(" ")
        bytes.writeImmutableBuffer(head.target)
        bytes.writeStaticString(" HTTP/1.1\r\n")
        if !fields.contains("host") { bytes.writeString("Host: \(server.settings.authority)\r\n") }
        fields.write(into: &bytes)
        switch framing {
        case .length(let count): bytes.writeString("Content-Length: \(count)\r\n")
        case .chunked: bytes.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .none, .untilClose: break
        }
        bytes.writeStaticString("\r\n")
        return bytes
    }

    func requestBody(_ bytes: ByteBuffer) {
        guard upstream != nil else { return waiting.append(bytes) }
        send(bytes)
    }

    private func send(_ bytes: ByteBuffer) {
        guard let upstream, bytes.readableBytes > 0 else { return }
        guard framing == .chunked else { return upstream.send(.bytes(bytes)) }
        var chunk = ByteBuffer()
        chunk.reserveCapacity(bytes.readableBytes + 20)
        MessageWriter.writeChunkStart(size: bytes.readableBytes, into: &chunk)
        chunk.writeImmutableBuffer(bytes)
        chunk.writeStaticString("\r\n")
        upstream.send(.bytes(chunk))
    }

    func requestEnded(trailers: HeaderFields?) {
        guard upstream != nil else {
            waitingEnd = .some(trailers)
            return
        }
        sendEnd(trailers)
    }

    private func sendEnd(_ trailers: HeaderFields?) {
        requestIsSent = true
        guard framing == .chunked else { return }
        var end = ByteBuffer()
        MessageWriter.writeLastChunk(trailers: trailers, into: &end)
        upstream?.send(.bytes(end))
    }

    // MARK: The client

    /// Reads nothing more from the client, or again.
    private func holdClient(_ isHeld: Bool) {
        guard isHeld != holdsClient else { return }
        holdsClient = isHeld
        connection?.setReading(!isHeld)
    }

    func setWritable(_ isWritable: Bool) { upstream?.setReading(isWritable) }

    func clientLeft() {
        connection = nil
        guard !isOver else { return }
        let grace = server.settings.cancelGrace
        // A server that has not the whole request has nothing to answer to.
        guard requestIsSent, grace > .zero else {
            over(as: .cancelled, keepsUpstream: false)
            return
        }
        upstream?.setReading(true)
        self.grace = eventLoop.assumeIsolated().scheduleTask(in: grace) {
            self.over(as: .cancelled, keepsUpstream: false)
        }
    }

    // MARK: The end

    /// Gives the slot back and lets go of the server's connection.
    @discardableResult
    private func over(as outcome: AdmissionLedger.Outcome, keepsUpstream: Bool) -> ResourceVector {
        guard !isOver else { return .zero }
        isOver = true
        grace?.cancel()
        upstream?.leave()
        if let channel, let upstream {
            if keepsUpstream {
                upstream.setReading(true)
                server.keep(channel)
            } else {
                upstream.close()
            }
        }
        upstream = nil
        channel = nil
        holdClient(false)
        return release(as: outcome)
    }

    private func release(as outcome: AdmissionLedger.Outcome) -> ResourceVector {
        guard holdsResources else { return .zero }
        holdsResources = false
        return pod.release(needs, as: outcome)
    }

    private func capacityField(_ free: ResourceVector) -> ResourceVector? {
        pod.configuration.writesCapacityField ? free : nil
    }
}

extension ForwardedTask: UpstreamReceiver {
    func answerPart(_ part: ResponsePart) {
        switch part {
        case .informational: break
        case .head(let head, let framing, let keepAlive): answerHead(head, framing, keepAlive)
        case .body(let bytes): connection?.write(bytes)
        case .end(let trailers):
            let connection = connection
            let outcome = connection == nil ? AdmissionLedger.Outcome.cancelled : .completed
            over(as: outcome, keepsUpstream: mayKeepUpstream && requestIsSent)
            self.connection = nil
            connection?.end(trailers: trailers)
        case .invalid(let error): broken("\(error)")
        }
    }

    func answerFlush() {
        guard let connection else { return }
        connection.flush()
        if !connection.isWritable { upstream?.setReading(false) }
    }

    func upstreamWritable(_ isWritable: Bool) {
        if !requestIsSent { holdClient(!isWritable) }
    }

    func upstreamClosed() { broken("the server closed the connection before its answer was whole") }

    private func answerHead(_ head: ResponseHead, _ framing: BodyFraming, _ keepAlive: Bool) {
        mayKeepUpstream = keepAlive
        answerHasBegun = true
        guard let connection else { return }
        var fields = head.fields
        HeaderRules.removeHopByHop(&fields)
        // An answer to HEAD and a 304 may tell the length of a body that does not follow.
        if framing != .none { fields.removeAll(named: "content-length") }
        fields.removeAll(named: ResourceHeader.capacity)
        connection.begin(
            status: head.status,
            reason: head.reason,
            framing: framing,
            capacity: capacityField(pod.free)
        ) { fields.write(into: &$0) }
    }

    private func broken(_ reason: String) {
        let connection = connection
        over(as: connection == nil ? .cancelled : .failed, keepsUpstream: false)
        self.connection = nil
        guard let connection else { return }
        // A gateway gets no answer: it knows whether the request may be tried again elsewhere, and a 502 would be the pod's last word on it.
        if answerHasBegun || head.fields.contains("neutrino-request-id") {
            connection.abort()
        } else {
            connection.refuse(status: 502, reason, capacity: capacityField(pod.free))
        }
    }
}
