import Core
import HTTP
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

@testable import TaskPod

/// An answer as a test looks at it.
struct TestAnswer {
    var head: ResponseHead
    var keepAlive: Bool
    var body = ByteBuffer()
    var trailers: HeaderFields?
    /// Why it broke off; nil where it is whole.
    var broken: String?

    var status: Int { head.status }
    var text: String { String(buffer: body) }
}

/// A connection to a pod that a test writes requests on, part by part.
final class TestClient: Sendable {
    let channel: any Channel
    private let parts: PartQueue

    struct Closed: Error {}

    init(port: Int, group: any EventLoopGroup) async throws {
        let parts = PartQueue()
        self.parts = parts
        channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try MessageCodec.nio.addClientHandlers(to: channel.pipeline.syncOperations)
                    try channel.pipeline.syncOperations.addHandler(Receiver(parts))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    /// Writes a head, and the bytes that follow it.
    func send(_ method: RequestMethod, _ target: String, _ fields: [(String, String)] = [], body: String? = nil) {
        var head = "\(method.rawValue) \(target) HTTP/1.1\r\nHost: test\r\n"
        for (name, value) in fields { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.utf8.count)\r\n" }
        let part = OutgoingRequestPart.head(ByteBuffer(string: head + "\r\n" + (body ?? "")), method: method)
        channel.writeAndFlush(part, promise: nil)
    }

    func send(bytes: ByteBuffer) async throws { try await channel.writeAndFlush(OutgoingRequestPart.bytes(bytes)) }

    /// The next part; throws when the connection has ended.
    func next() async throws -> ResponsePart { try await parts.next() }

    /// The whole answer, or as far as it came.
    func answer() async throws -> TestAnswer {
        var answer: TestAnswer?
        while true {
            do {
                switch try await next() {
                case .informational: break
                case .head(let head, _, let keepAlive): answer = TestAnswer(head: head, keepAlive: keepAlive)
                case .body(let bytes): answer?.body.writeImmutableBuffer(bytes)
                case .end(let trailers):
                    answer?.trailers = trailers
                    return try unwrap(answer)
                case .invalid(let error):
                    answer?.broken = error.description
                    return try unwrap(answer)
                }
            } catch {
                answer?.broken = "closed"
                return try unwrap(answer)
            }
        }
    }

    private func unwrap(_ answer: TestAnswer?) throws -> TestAnswer {
        guard let answer else { throw Closed() }
        return answer
    }

    func close() async { try? await channel.close() }

    private final class Receiver: ChannelInboundHandler {
        typealias InboundIn = ResponsePart
        private let parts: PartQueue

        init(_ parts: PartQueue) { self.parts = parts }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) { parts.add(.success(unwrapInboundIn(data))) }
        func channelInactive(context: ChannelHandlerContext) { parts.add(.failure(Closed())) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// A queue of parts that one test task waits at.
final class PartQueue: Sendable {
    private struct State {
        var parts: CircularBuffer<Result<ResponsePart, any Error>> = []
        var waiter: CheckedContinuation<ResponsePart, any Error>?
    }

    private let state = NIOLockedValueBox(State())

    func add(_ part: Result<ResponsePart, any Error>) {
        let waiter = state.withLockedValue { state -> CheckedContinuation<ResponsePart, any Error>? in
            defer { state.waiter = nil }
            if state.waiter == nil { state.parts.append(part) }
            return state.waiter
        }
        waiter?.resume(with: part)
    }

    func next() async throws -> ResponsePart {
        try await withCheckedThrowingContinuation { continuation in
            let ready = state.withLockedValue { state -> Result<ResponsePart, any Error>? in
                guard let part = state.parts.first else {
                    state.waiter = continuation
                    return nil
                }
                // The end stays, for whoever asks again.
                if case .success = part { state.parts.removeFirst() }
                return part
            }
            if let ready { continuation.resume(with: ready) }
        }
    }
}

/// A pod of 8 CPUs, 2 GPUs and 32 GB, changed.
func configured(_ change: (inout TaskPodConfiguration) -> Void = { _ in }) -> TaskPodConfiguration {
    var configuration = TaskPodConfiguration()
    configuration.total = ResourceVector(cpus: 8000, gpus: 2000, memory: 32_000)
    change(&configuration)
    return configuration
}

/// Runs a test against a pod, and stops it.
func withPod<Result>(
    _ configuration: TaskPodConfiguration = configured(),
    _ body: (TaskPodServer, any EventLoopGroup) async throws -> Result
) async throws -> Result {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = try await TaskPodServer.start(configuration, group: group)
    do {
        let result = try await body(server, group)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

/// One request on a connection of its own.
func request(
    _ server: TaskPodServer,
    _ method: RequestMethod,
    _ target: String,
    _ fields: [(String, String)] = [],
    body: String? = nil
) async throws -> TestAnswer {
    let client = try await TestClient(port: server.port, group: MultiThreadedEventLoopGroup.singleton)
    client.send(method, target, fields, body: body)
    do {
        let answer = try await client.answer()
        await client.close()
        return answer
    } catch {
        await client.close()
        throw error
    }
}

/// Asks until a condition holds; for what another connection's handler does a moment later.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<2000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(2))
    }
    return false
}
