import Core
import HTTP
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// The HTTP server behind a sidecar: whether it can work, and connections to it.
///
/// Until it answers its readiness path with 200, or accepts connections where there is no such path, the pod reports nothing free.
/// A connection that cannot be made takes readiness away at once.
final class UpstreamServer: Sendable {
    let settings: UpstreamConfiguration
    private let state: PodState
    private let logger: Logger
    private let box = NIOLockedValueBox(Shared())

    private struct Shared {
        /// By event loop; the latest last.
        var idle: [ObjectIdentifier: [IdleChannel]] = [:]
        var isStopped = false
        var isProbing = false
        var eventLoop: (any EventLoop)?
    }

    private struct IdleChannel {
        var channel: any Channel
        var since: NIODeadline
    }

    /// A connection idle for longer is not used again: servers close theirs after 2 s (gunicorn) or 5 s (uvicorn), and a request
    /// that meets that cannot be told from one that was begun.
    private static let longestIdle = TimeAmount.seconds(1)
    private static let mostIdle = 64
    private static let probeInterval = TimeAmount.seconds(2)
    private static let unreadyProbeInterval = TimeAmount.milliseconds(200)
    private static let probeTimeout = TimeAmount.seconds(2)

    init(_ settings: UpstreamConfiguration, state: PodState, logger: Logger) {
        self.settings = settings
        self.state = state
        self.logger = logger
        state.setReady(false)
    }

    // MARK: Connections

    /// A connection of this event loop: one that was used a moment ago, or a new one. Whoever gets it hands it back with
    /// ``keep(_:)`` or closes it.
    func connect(on eventLoop: any EventLoop) -> EventLoopFuture<any Channel> {
        let (usable, stale) = box.withLockedValue { shared -> ((any Channel)?, [any Channel]) in
            let idle = shared.idle.removeValue(forKey: ObjectIdentifier(eventLoop)) ?? []
            let limit = NIODeadline.now() - Self.longestIdle
            var fresh = idle.filter { $0.since > limit && $0.channel.isActive }
            let stale = idle.filter { !($0.since > limit && $0.channel.isActive) }.map(\.channel)
            let usable = fresh.popLast()?.channel
            if !fresh.isEmpty { shared.idle[ObjectIdentifier(eventLoop)] = fresh }
            return (usable, stale)
        }
        for channel in stale { channel.close(promise: nil) }
        if let usable { return eventLoop.makeSucceededFuture(usable) }
        return connectAnew(on: eventLoop)
    }

    private func connectAnew(on eventLoop: any EventLoop) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(settings.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [state] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try state.configuration.codec.addClientHandlers(to: pipeline, limits: state.configuration.limits)
                    try pipeline.addHandler(UpstreamConnection())
                }
            }
            .connect(host: settings.host, port: settings.port)
    }

    /// Takes back a connection whose answer is whole.
    func keep(_ channel: any Channel) {
        let isKept = box.withLockedValue { shared in
            guard !shared.isStopped, channel.isActive else { return false }
            let key = ObjectIdentifier(channel.eventLoop)
            guard shared.idle[key, default: []].count < Self.mostIdle else { return false }
            shared.idle[key, default: []].append(IdleChannel(channel: channel, since: .now()))
            return true
        }
        if !isKept { channel.close(promise: nil) }
    }

    func stop() {
        let idle = box.withLockedValue { shared in
            shared.isStopped = true
            defer { shared.idle = [:] }
            return shared.idle.values.flatMap { $0 }
        }
        for idle in idle { idle.channel.close(promise: nil) }
    }

    // MARK: Readiness

    /// Begins to ask whether the server can work.
    func watch(on eventLoop: any EventLoop) {
        box.withLockedValue { $0.eventLoop = eventLoop }
        probe(after: .zero)
    }

    /// A connection could not be made.
    func unreachable(_ error: any Error) {
        settle(false, words(of: error))
        probe(after: Self.unreadyProbeInterval)
    }

    private func probe(after delay: TimeAmount) {
        let eventLoop = box.withLockedValue { shared -> (any EventLoop)? in
            guard !shared.isStopped, !shared.isProbing else { return nil }
            shared.isProbing = true
            return shared.eventLoop
        }
        eventLoop?.scheduleTask(in: delay) { self.ask(on: eventLoop!) }
    }

    private func ask(on eventLoop: any EventLoop) {
        guard !box.withLockedValue({ $0.isStopped }) else { return }
        let answer = connectAnew(on: eventLoop).flatMap { channel -> EventLoopFuture<Int> in
            guard let path = self.settings.readyPath else {
                channel.close(promise: nil)
                return eventLoop.makeSucceededFuture(200)
            }
            return ReadinessProbe.ask(channel, path: path, host: self.settings.authority, timeout: Self.probeTimeout)
        }
        answer.whenComplete { result in
            switch result {
            case .success(200): self.settle(true, "")
            case .success(let status): self.settle(false, "\(self.settings.readyPath ?? "/") answered \(status)")
            case .failure(let error): self.settle(false, self.words(of: error))
            }
            self.box.withLockedValue { $0.isProbing = false }
            let isReady = if case .success(200) = result { true } else { false }
            if !isReady {
                self.probe(after: Self.unreadyProbeInterval)
            } else if self.settings.readyPath != nil {
                self.probe(after: Self.probeInterval)
            }
        }
    }

    /// Why it cannot be asked, or what it did in place of an answer, for people.
    func words(of error: any Error) -> String {
        (error as? TaskPodError)?.message ?? ConnectFailure(error).words(to: settings.authority)
    }

    private func settle(_ isReady: Bool, _ reason: String) {
        guard state.isReady != isReady else { return }
        state.setReady(isReady)
        if isReady {
            logger.notice("The server is ready", metadata: ["upstream": "\(settings.authority)"])
        } else {
            logger.warning(
                "The server is not ready; nothing is reported free",
                metadata: ["upstream": "\(settings.authority)", "reason": "\(reason)"]
            )
        }
    }
}

/// Asks for the readiness path once, and closes the connection.
enum ReadinessProbe {
    /// - Returns: The status of the answer; fails with a ``TaskPodError`` where none comes.
    static func ask(
        _ channel: any Channel,
        path: String,
        host: String,
        timeout: TimeAmount
    ) -> EventLoopFuture<Int> {
        let promise = channel.eventLoop.makePromise(of: Int.self)
        let timer = channel.eventLoop.scheduleTask(in: timeout) {
            promise.fail(noAnswer("\(path) was not answered within \(Double(timeout.nanoseconds) / 1e9) s"))
        }
        promise.futureResult.whenComplete { _ in
            timer.cancel()
            channel.close(promise: nil)
        }
        channel.eventLoop.assumeIsolated().execute {
            let receiver = ProbeReceiver(promise, path: path)
            let connection = try? channel.pipeline.syncOperations.handler(type: UpstreamConnection.self)
            // Without the handler it ended between being made and being used.
            guard let connection else { return receiver.upstreamClosed() }
            connection.begin(receiver)
            var head = ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n")
            head.writeStaticString("User-Agent: neutrino-pod\r\nAccept: */*\r\nConnection: close\r\n\r\n")
            connection.send(.head(head, method: .get))
        }
        return promise.futureResult
    }

    private static func noAnswer(_ message: String) -> TaskPodError { TaskPodError(.noAnswer, message) }

    private final class ProbeReceiver: UpstreamReceiver {
        private let promise: EventLoopPromise<Int>
        private let path: String

        init(_ promise: EventLoopPromise<Int>, path: String) {
            self.promise = promise
            self.path = path
        }

        func answerPart(_ part: ResponsePart) {
            switch part {
            case .head(let head, _, _): promise.succeed(head.status)
            case .invalid(let error): promise.fail(noAnswer("the answer to \(path) is not HTTP: \(error)"))
            case .informational, .body, .end: break
            }
        }

        func answerFlush() {}
        func upstreamWritable(_ isWritable: Bool) {}
        func upstreamClosed() { promise.fail(noAnswer("the connection ended before \(path) was answered")) }
    }
}
