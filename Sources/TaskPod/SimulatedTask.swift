import Core
import Crypto
import Glibc
import NIOCore

/// A task that only takes time: reads the request, holds its resources, answers with what it saw.
final class SimulatedTask: PodExchange {
    private let connection: PodConnection
    private let pod: PodState
    private let head: RequestHead
    private let options: TaskOptions
    private let needs: ResourceVector
    private let requestID: String?
    private var bodyBytes = 0
    private var bodyHash: SHA256?
    /// The body as far as it may say how long the task takes.
    private var bodyStart = ByteBuffer()
    private var holdsResources = false
    private var timer: Scheduled<Void>?
    private var startedAt: UInt64 = 0
    /// Writes what comes next, once the client takes more.
    private var continuation: (() -> Void)?

    private static let longestReadBody = 4096

    /// Begins a task, or answers 400 and returns nil.
    static func make(_ connection: PodConnection, _ head: RequestHead, _ framing: BodyFraming) -> SimulatedTask? {
        guard let needs = connection.pod.needs(of: head) else {
            PodRefusal.writeUnreadableNeeds(to: connection)
            return nil
        }
        do throws(TaskOptionError) {
            let options = try TaskOptions.read(head.target)
            connection.writeContinue()
            return SimulatedTask(connection, head, options, needs)
        } catch {
            connection.refuse(status: 400, error.description)
            return nil
        }
    }

    private init(_ connection: PodConnection, _ head: RequestHead, _ options: TaskOptions, _ needs: ResourceVector) {
        self.connection = connection
        self.pod = connection.pod
        self.head = head
        var options = options
        if let pod = options.failsOn, pod != connection.pod.configuration.name { options.failure = nil }
        self.options = options
        self.needs = needs
        requestID = head.fields.first("neutrino-request-id")
    }

    // MARK: The request

    func requestBody(_ bytes: ByteBuffer) {
        bodyBytes += bytes.readableBytes
        if bodyBytes <= Self.longestReadBody {
            bodyStart.writeImmutableBuffer(bytes)
        } else {
            bodyStart.clear()
        }
        var hash = bodyHash ?? SHA256()
        bodyHash = nil
        bytes.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        bodyHash = hash
    }

    func requestEnded(trailers: HeaderFields?) {
        do throws(AdmissionLedger.Refusal) {
            try pod.admit(needs, id: requestID)
        } catch {
            return PodRefusal.write(error, needs: needs, to: connection)
        }
        holdsResources = true
        startedAt = Self.unixNanoseconds()
        let duration = options.duration ?? TaskOptions.duration(inBody: bodyStart) ?? pod.configuration.work.duration
        guard duration > .zero else { return run() }
        wait(duration) { $0.run() }
    }

    func setWritable(_ isWritable: Bool) {
        guard isWritable, let next = continuation else { return }
        continuation = nil
        next()
    }

    func clientLeft() {
        timer?.cancel()
        continuation = nil
        release(as: options.failure == nil ? .cancelled : .failed)
    }

    // MARK: The answer

    private func run() {
        switch options.failure {
        case nil, .slow?: answer()
        case .stall?: break
        case .reset?: fail(reset: true)
        case .close?: fail()
        case .garbage?:
            connection.write(raw: ByteBuffer(string: "?!\u{1}\r\n\r\n"))
            connection.flush()
            fail()
        case .cut?, .hang?:
            let body = wholeBody()
            begin(length: options.isChunked ? nil : body.readableBytes)
            connection.write(body.getSlice(at: 0, length: body.readableBytes / 2) ?? ByteBuffer())
            connection.flush()
            if options.failure == .cut { fail() }
        }
    }

    private func fail(reset: Bool = false) {
        release(as: .failed)
        connection.abort(reset: reset)
    }

    private func answer() {
        if let events = options.events {
            begin(length: nil, type: "text/event-stream")
            return sendEvent(0, of: events, at: .now())
        }
        if options.failure == .slow {
            let body = wholeBody()
            begin(length: options.isChunked ? nil : body.readableBytes)
            return sendPieces(of: body)
        }
        if let bytes = options.bytes {
            begin(length: options.isChunked ? nil : bytes, type: "application/octet-stream")
            return sendBytes(bytes)
        }
        let body = report()
        guard options.isChunked || options.hasTrailer else {
            let free = release(as: .completed)
            return connection.answer(status: options.status, capacity: capacityField(free), body)
        }
        begin(length: nil)
        connection.write(body)
        end()
    }

    private func begin(length: Int?, type: StaticString = "application/json") {
        connection.begin(
            status: options.status,
            framing: length.map { options.hasTrailer ? .chunked : .length($0) } ?? .chunked,
            capacity: capacityField(pod.free)
        ) {
            $0.writeStaticString("Content-Type: ")
            $0.writeStaticString(type)
            $0.writeStaticString("\r\n")
        }
    }

    private func end() {
        // Given back before the last byte leaves: who has the whole answer may send the next request.
        release(as: .completed)
        connection.end(trailers: options.hasTrailer ? HeaderFields([("Neutrino-Pod-Trailer", "\(bodyBytes)")]) : nil)
    }

    /// Goes on when the client takes more.
    private func whenWritable(_ next: @escaping (SimulatedTask) -> Void) {
        guard !connection.isWritable else { return next(self) }
        continuation = { [weak self] in
            if let self { next(self) }
        }
    }

    private func wait(_ time: TimeAmount, _ next: @escaping (SimulatedTask) -> Void) {
        wait(until: .now() + time, next)
    }

    private func wait(until deadline: NIODeadline, _ next: @escaping (SimulatedTask) -> Void) {
        timer = connection.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            if let self { next(self) }
        }
    }

    /// Events keep to their times: a late one does not move those after it.
    private func sendEvent(_ index: Int, of count: Int, at time: NIODeadline) {
        guard index < count else { return end() }
        var event = ByteBuffer()
        event.writeString(
            "id: \(index)\ndata: {\"n\":\(index),\"of\":\(count),\"sent_unix_ns\":\(Self.unixNanoseconds()),"
                + "\"sent_uptime_ns\":\(NIODeadline.now().uptimeNanoseconds)}\n\n"
        )
        connection.write(event)
        connection.flush()
        let next = time + options.interval
        guard index + 1 < count else { return end() }
        wait(until: next) { task in
            task.whenWritable { $0.sendEvent(index + 1, of: count, at: next) }
        }
    }

    private func sendPieces(of body: ByteBuffer) {
        var rest = body
        let size = max(1, (body.readableBytes + 9) / 10)
        guard let piece = rest.readSlice(length: min(size, rest.readableBytes)), piece.readableBytes > 0 else {
            return end()
        }
        sendPieces(piece, rest, size)
    }

    private func sendPieces(_ piece: ByteBuffer, _ rest: ByteBuffer, _ size: Int) {
        connection.write(piece)
        connection.flush()
        var rest = rest
        guard let next = rest.readSlice(length: min(size, rest.readableBytes)), next.readableBytes > 0 else {
            return end()
        }
        wait(options.interval) { [rest] in $0.sendPieces(next, rest, size) }
    }

    /// As fast as the client takes them, a few blocks a turn so that others on this loop are not starved.
    private func sendBytes(_ remaining: Int) {
        var remaining = remaining
        for _ in 0..<8 where connection.isWritable {
            guard remaining > 0 else { break }
            let count = min(remaining, Self.block.readableBytes)
            remaining -= count
            connection.write(Self.block.getSlice(at: 0, length: count)!)
            guard remaining > 0 else { break }
            connection.flush()
        }
        guard remaining > 0 else { return end() }
        guard connection.isWritable else {
            return whenWritable { [remaining] in $0.sendBytes(remaining) }
        }
        wait(.zero) { [remaining] in $0.sendBytes(remaining) }
    }

    /// The byte at n of a body made by `bytes=` is n mod 251.
    private static let block: ByteBuffer = {
        ByteBuffer(bytes: (0..<(251 * 256)).map { UInt8($0 % 251) })
    }()

    /// For failures in the middle of it.
    private func wholeBody() -> ByteBuffer {
        guard let bytes = options.bytes else { return report() }
        var body = ByteBuffer()
        for _ in 0..<min(bytes, 1 << 20) { body.writeInteger(UInt8(body.writerIndex % 251)) }
        return body
    }

    /// What the task saw.
    private func report() -> ByteBuffer {
        JSONWriter.object { json in
            json.member("pod", pod.configuration.name)
            if let requestID { json.member("request_id", requestID) }
            json.member("method", head.method.rawValue)
            json.member("path", head.targetText)
            json.member("needs", needs)
            json.member("body_bytes", bodyBytes)
            if let bodyHash {
                json.member("body_sha256", Self.hexadecimal(bodyHash.finalize()))
            }
            json.member("started_unix_ns", startedAt)
            json.member("ended_unix_ns", Self.unixNanoseconds())
        }
    }

    private static func hexadecimal(_ digest: SHA256Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(unsafeUninitializedCapacity: 64) { bytes in
            for (index, byte) in digest.enumerated() {
                bytes[2 * index] = digits[Int(byte >> 4)]
                bytes[2 * index + 1] = digits[Int(byte & 15)]
            }
            return 64
        }
    }

    private func capacityField(_ free: ResourceVector) -> ResourceVector? {
        pod.configuration.writesCapacityField ? free : nil
    }

    @discardableResult
    private func release(as outcome: AdmissionLedger.Outcome) -> ResourceVector {
        guard holdsResources else { return .zero }
        holdsResources = false
        return pod.release(needs, as: outcome)
    }

    private static func unixNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
