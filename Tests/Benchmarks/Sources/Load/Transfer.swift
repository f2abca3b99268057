import NIOCore

/// One large message in one direction, with its checksum. The byte at n of an upload is n mod 251, as in the answers of `neutrino-pod`:
/// parts that get lost or change places show.
package struct Transfer: Sendable {
    package enum Direction: String, Sendable {
        case download
        case upload
    }

    package var direction: Direction
    package var path: String
    /// Of the body of an upload; for a download what is expected, 0 for whatever comes.
    package var bytes: Int
    /// More field lines, `Name: value`.
    package var fields: [String] = []
    /// Bound on the whole.
    package var seconds = 120.0

    package init(_ direction: Direction, path: String, bytes: Int) {
        self.direction = direction
        self.path = path
        self.bytes = bytes
    }

    package func run(target: Target) async throws -> Summary {
        let begin = NIODeadline.now()
        let counts = try await Workers.run(threads: 1) { loop, _ in
            let connector = Connector(target: target, loop: loop, bodyUse: .stream, readBytes: 256 * 1024)
            return TransferWorker(loop: loop, connector: connector, plan: self, target: target).run()
        }
        guard var count = counts.first else { preconditionFailure("one worker was started") }
        if direction == .download, bytes > 0, count.received != bytes { count.tally.error("wrong length") }
        return Summary(
            mode: direction.rawValue,
            target: target,
            took: .now() - begin,
            tally: count.tally,
            counts: ["sent_bytes": count.sent, "received_bytes": count.received],
            notes: [
                "sent_crc32": String(count.sentSum.value, radix: 16),
                "received_crc32": String(count.receivedSum.value, radix: 16),
                "answer": String(buffer: count.beginning),
            ]
        )
    }
}

private struct TransferCount: Sendable {
    var tally = Tally()
    var sent = 0
    var received = 0
    var sentSum = CRC32()
    var receivedSum = CRC32()
    /// The first bytes of the answer, at most 1 KiB.
    var beginning = ByteBuffer()
}

private final class TransferWorker: ConnectionOwner {
    private static let part = ByteBuffer(bytes: (0..<(251 * 256)).map { UInt8($0 % 251) })
    private static let maxBeginning = 1024

    private let loop: any EventLoop
    private let connector: Connector
    private let plan: Transfer
    private let target: Target
    private let done: EventLoopPromise<TransferCount>
    private var count = TransferCount()
    private var isDone = false

    init(loop: any EventLoop, connector: Connector, plan: Transfer, target: Target) {
        self.loop = loop
        self.connector = connector
        self.plan = plan
        self.target = target
        done = loop.makePromise()
    }

    func run() -> EventLoopFuture<TransferCount> {
        connector.open(for: self)
        loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(plan.seconds * 1e9))) { self.fail("took too long") }
        return done.futureResult
    }

    func opened(_ connection: Connection) {
        connection.begin()
        let method = plan.direction == .upload ? "POST" : "GET"
        var head = "\(method) \(plan.path) HTTP/1.1\r\nHost: \(target.authority)\r\n"
        for field in plan.fields { head += field + "\r\n" }
        if plan.direction == .upload {
            head += "Content-Type: application/octet-stream\r\nContent-Length: \(plan.bytes)\r\n"
        }
        let written = connection.write(ByteBuffer(string: head + "\r\n"))
        if plan.direction == .upload {
            written.assumeIsolated().whenSuccess { self.writeNext(on: connection) }
        }
    }

    /// One part at a time, each when the kernel has taken the one before: memory does not grow with the body.
    private func writeNext(on connection: Connection) {
        guard count.sent < plan.bytes, connection.isOpen else { return }
        var part = Self.part
        part.moveWriterIndex(to: min(part.readableBytes, plan.bytes - count.sent))
        count.sent += part.readableBytes
        count.sentSum.update(part)
        connection.write(part).assumeIsolated().whenSuccess { self.writeNext(on: connection) }
    }

    func received(_ bytes: ByteBuffer, on connection: Connection) {
        count.received += bytes.readableBytes
        count.receivedSum.update(bytes)
        if count.beginning.readableBytes < Self.maxBeginning {
            count.beginning.writeBytes(
                bytes.readableBytesView.prefix(Self.maxBeginning - count.beginning.readableBytes)
            )
        }
    }

    func answered(_ head: ResponseHead, on connection: Connection) {
        count.tally.answer(head, after: .now() - connection.sent)
        finish()
        connection.close()
    }

    func failedToOpen(_ problem: String) { fail(problem) }

    func closed(_ connection: Connection, failure: String?) {
        if connection.isBusy { fail(failure ?? "closed before the end") }
    }

    private func fail(_ problem: String) {
        guard !isDone else { return }
        count.tally.error(problem)
        finish()
    }

    private func finish() {
        guard !isDone else { return }
        isDone = true
        done.succeed(count)
    }
}
