import Core
import HTTP
import NIOCore
import Queue

/// The answer's way out.
///
/// Head and small parts are gathered in one buffer, which is written when it grows, and sent at the end of the answer or of this turn of
/// the event loop, whichever comes first: a whole small answer is one write, and an event of a stream leaves at once.
extension ClientExchange: AnswerSink {
    /// A part up to this many bytes is copied behind what waits to be written; a larger one is written as it is.
    private static let copiedBytes = 8 << 10
    /// What waits is written when it reaches this many bytes.
    private static let gatheredBytes = 16 << 10

    func begin(_ head: ResponseHead, framing: BodyFraming, timing: AnswerTiming) {
        requestID = timing.requestID
        podID = timing.podID
        upstream = timing.upstream
        hold = timing.hold
        begin(head, framing, timing)
    }

    private func begin(_ pod: ResponseHead, _ podFraming: BodyFraming, _ timing: AnswerTiming?) {
        guard answer == .awaited, let head, let connection else { return }
        answer = .streaming
        // Its body is not sent again from here on: it leaves room for others, however long the answer takes.
        letGo(connection.loop)
        status = pod.status
        answerFraming = AnswerFraming(podFraming, status: pod.status, to: head.method, head.version)
        closes = closes || answerFraming == .untilClose || !keepsConnection || shared.phase != .serving
        var bodyCapacity = 0
        if case .length(let count) = answerFraming {
            remaining = count
            bodyCapacity = min(count, Self.copiedBytes)
        }
        output.reserveCapacity(pod.fields.byteCount + pod.reason.utf8.count + 256 + bodyCapacity)
        let writer = AnswerHeadWriter(
            framing: answerFraming,
            connection: closes ? .close : head.version == .http10 ? .keepAlive : .unsaid
        )
        let date = connection.loop.date(at: connection.eventLoop.now)
        writer.write(pod, timing: timing, date: date, scratch: &connection.loop.scratch, into: &output)
        connection.flushSoon()
    }

    func body(_ bytes: ByteBuffer) {
        guard answer == .streaming, let connection, bytes.readableBytes > 0 else { return }
        let count = bytes.readableBytes
        switch answerFraming {
        case .none: return
        case .length:
            // More than Content-Length would be read as the next answer.
            guard count <= remaining else { return abort() }
            remaining -= count
        case .chunked: MessageWriter.writeChunkStart(size: count, into: &output)
        case .untilClose: break
        }
        bodyBytes += count
        if count <= Self.copiedBytes {
            output.writeImmutableBuffer(bytes)
        } else {
            giveOutput()
            connection.write(bytes)
        }
        if answerFraming == .chunked { output.writeText("\r\n") }
        if output.readableBytes >= Self.gatheredBytes { giveOutput() }
        connection.flushSoon()
    }

    func end(trailers: HeaderFields?) {
        guard answer == .streaming, let connection else { return }
        guard remaining == 0 else { return abort() }
        if answerFraming == .chunked {
            MessageWriter.writeLastChunk(trailers: HeaderRules.trailers(trailers), into: &output)
        }
        finish(connection)
    }

    func abort() {
        guard answer == .streaming, let connection else { return }
        answer = .done
        source = nil
        self.connection = nil
        letGo(connection.loop)
        log(connection, isWhole: false)
        let rest = output
        output = ByteBuffer()
        if rest.readableBytes > 0 { connection.write(rest) }
        connection.flush()
        if answerFraming == .untilClose { connection.reset() } else { connection.close() }
    }

    func refuse(_ refusal: Refusal) {
        guard answer == .awaited, let connection else { return }
        requestID = refusal.requestID
        hold = refusal.hold
        // Nothing names the file of a request that never had a row.
        if refusal.isAtTheDoor || refusal.requestID == nil, let spooled { shared.spool.remove(spooled) }
        guard let kept = refusal.podAnswer else {
            return respond(OwnAnswer(ProblemAnswer(refusal), hold: refusal.hold ?? .zero))
        }
        let timing = refusal.requestID.map {
            AnswerTiming(requestID: $0, hold: refusal.hold ?? .zero, upstream: .zero)
        }
        begin(kept.head, .length(kept.body.readableBytes), timing)
        body(kept.body)
        if answer == .streaming { finish(connection) }
    }

    /// Answers by ourselves; at any time before an answer has begun.
    func respond(_ own: OwnAnswer) {
        guard answer == .awaited, let connection else { return }
        status = own.status
        reason = own.reason
        closes = closes || !mayBeSkipped || !keepsConnection || shared.phase != .serving
        if !isWhole {
            // What was taken in is not wanted; the rest is read and dropped.
            letGo(connection.loop)
            intake = .skipping
        }
        own.write(
            isHead: head?.method == .head,
            version: head?.version ?? .http11,
            closes: closes,
            date: connection.loop.date(at: connection.eventLoop.now),
            into: &output
        )
        bodyBytes = own.body.utf8.count
        finish(connection)
        if !isWhole { connection.resumeRequests() }
    }

    private func finish(_ connection: ClientConnection) {
        answer = .ending
        let last = output
        output = ByteBuffer()
        connection.finish(last, self)
    }

    /// Hands what was gathered to the channel.
    func giveOutput() {
        guard output.readableBytes > 0, let connection else { return }
        connection.write(output)
        output = ByteBuffer()
    }

    func setWritable(_ writable: Bool) {
        if answer == .streaming { source?.setWritable(writable) }
    }

    /// The kernel has taken the last byte.
    func written() {
        guard answer == .ending, let connection else { return }
        answer = .done
        let source = source
        self.source = nil
        letGo(connection.loop)
        log(connection, isWhole: true)
        source?.delivered()
        connection.answered(self)
    }
}
