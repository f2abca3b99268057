import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

@testable import Pods

/// Takes an answer and says what came, in order.
final class Recorder: PodAnswerReceiver, @unchecked Sendable {
    // `@unchecked`: the hooks are set before the call begins, the rest guards itself.
    enum Event: Sendable {
        case written
        case head(ResponseHead, BodyFraming)
        case body(ByteBuffer)
        case end(HeaderFields?)
        case failed(PodCallFailure)

        var name: String {
            switch self {
            case .written: "written"
            case .head(let head, let framing): "head \(head.status) \(framing)"
            case .body(let bytes): "body \(bytes.readableBytes)"
            case .end: "end"
            case .failed(let failure): "failed \(failure)"
            }
        }
    }

    let events = Mailbox<Event>()
    /// Whether bodies are put into ``events`` too, or counted only.
    var keepsBodies = true
    /// Counted on the loop; read there.
    var bodyBytes = 0
    /// Called on the loop with each event, before it is put into ``events``.
    var hook: ((Event) -> Void)?

    func requestWritten(at time: NIODeadline) { put(.written) }
    func answerHead(_ head: ResponseHead, framing: BodyFraming) { put(.head(head, framing)) }
    func answerBody(_ bytes: ByteBuffer) {
        bodyBytes += bytes.readableBytes
        if keepsBodies { put(.body(bytes)) }
    }
    func answerEnd(trailers: HeaderFields?) { put(.end(trailers)) }
    func answerFailed(_ failure: PodCallFailure) { put(.failed(failure)) }

    private func put(_ event: Event) {
        hook?(event)
        events.put(event)
    }
}

/// A whole answer, as a test looks at it.
struct Answer: Sendable {
    var head: ResponseHead
    var framing: BodyFraming
    var body: String
    var trailers: HeaderFields?

    var status: Int { head.status }
}

/// A transport on one event loop, and pods by their server.
struct Upstream: Sendable {
    /// A call, to be used on its loop only.
    struct Call: @unchecked Sendable {
        // `@unchecked`: `onLoop` is the only use of it.
        let call: any PodCall
        let loop: any EventLoop

        func cancel() { loop.execute { call.cancel() } }
        func setReading(_ reading: Bool) { loop.execute { call.setReading(reading) } }
    }

    let transport: UpstreamTransport
    let loop: any EventLoop
    /// Stands still but for ``advance(_:)``.
    private let time: NIOLockedValueBox<NIODeadline>

    init(
        on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
        _ change: (inout PodsConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = PodsConfiguration()
        // Deadlines are looked at when a test says so; nothing depends on how busy the machine is.
        configuration.timerGranularity = .hours(1)
        configuration.connectTimeout = .seconds(60)
        configuration.codec = EachCodec.current
        change(&configuration)
        let time = NIOLockedValueBox(NIODeadline.now())
        self.time = time
        loop = eventLoop
        transport = try UpstreamTransport(configuration: configuration, group: loop) { time.withLockedValue { $0 } }
    }

    static func request(
        _ method: RequestMethod = .get,
        _ target: String = "/",
        body: RequestBody = .none,
        mayReuseIdle: Bool = true,
        timeout: TimeAmount = .seconds(30),
        fields: [(String, String)] = [("Host", "pods")]
    ) -> OutboundRequest {
        OutboundRequest(
            method: method,
            target: ByteBuffer(string: target),
            fields: HeaderFields(fields),
            extraFields: ByteBuffer(string: "Neutrino-Request-Id: 01\r\n"),
            body: body,
            mayReuseIdle: mayReuseIdle,
            firstByteTimeout: timeout
        )
    }

    @discardableResult
    func begin(
        _ request: OutboundRequest,
        to pod: Pod,
        _ recorder: Recorder,
        _ begun: @escaping @Sendable (Call) -> Void = { _ in }
    ) async throws -> Call {
        try await loop.submit {
            let call = Call(call: transport.send(request, to: pod, on: loop, receiver: recorder), loop: loop)
            begun(call)
            return call
        }.get()
    }

    /// Lets time pass, and deadlines be looked at.
    func advance(_ amount: TimeAmount) async throws {
        // First let the loop finish with what it is about: a connection becomes idle a moment after the end of its answer is told.
        try await loop.submit {}.get()
        time.withLockedValue { $0 = $0 + amount }
        try await loop.submit { transport.state(of: loop).tick() }.get()
    }

    /// One call to its end.
    func answer(_ request: OutboundRequest = Self.request(), from pod: Pod) async throws -> Answer {
        let recorder = Recorder()
        try await begin(request, to: pod, recorder)
        return try await recorder.answer()
    }
}

extension Recorder {
    /// Waits for the whole answer.
    func answer() async throws -> Answer {
        var answer: Answer?
        while true {
            switch await events.next() {
            case .written: break
            case .head(let head, let framing): answer = Answer(head: head, framing: framing, body: "")
            case .body(let bytes): answer!.body += String(buffer: bytes)
            case .end(let trailers):
                answer!.trailers = trailers
                return answer!
            case .failed(let failure): throw failure
            }
        }
    }

    /// The next event that is none of the request's.
    func next() async -> Event {
        let event = await events.next()
        if case .written = event { return await events.next() }
        return event
    }
}

extension Pod {
    convenience init(_ server: TestServer) { self.init(key: server.port, description: server.pod) }
}
