import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// The API server of a cluster as far as pods go: lists with pages, watches that begin at a version, bookmarks; and all the trouble that
/// one can make.
final class APIServer: Sendable {
    /// What it does with requests in place of answering them.
    enum Trouble: Sendable {
        /// Answers every request so.
        case status(Int, String)
        /// Answers 200 with a body that is no answer.
        case body(String)
        /// Takes watches and never says anything.
        case silence
        /// Answers watches so, lists as usual.
        case watchStatus(Int, String)
        /// Forgets the pages after the first, once.
        case forgetsPages
        /// Lists nothing, and says each time that there is more: behind the same token, or behind another.
        case endlessPages(isCircle: Bool)
    }

    struct Request: Sendable {
        var target: String
        var authorization: String?
        var isWatch: Bool { target.contains("watch=true") }
    }

    private struct State {
        var pods: [String: APIPod] = [:]
        var version = 1
        var history: [(version: Int, line: String, namespace: String)] = []
        /// Watches from before it are told that it is gone.
        var oldest = 0
        var trouble: Trouble?
        var token: String?
        var watchers: [(channel: any Channel, namespace: String?)] = []
        var connections: [any Channel] = []
    }

    private let state: NIOLockedValueBox<State>
    private let listener: NIOLockedValueBox<(any Channel)?>
    private let tls: NIOSSLContext?
    /// Its own also while it is stopped.
    private let reserved: ReservedPort
    /// Every request, in order.
    let requests: AsyncStream<Request>
    private let asked: AsyncStream<Request>.Continuation

    init(_ pods: [APIPod] = [], tls: NIOSSLContext? = nil) async throws {
        let (requests, asked) = AsyncStream.makeStream(of: Request.self)
        let state = NIOLockedValueBox(State())
        self.tls = tls
        self.requests = requests
        self.asked = asked
        self.state = state
        reserved = try ReservedPort()
        listener = NIOLockedValueBox(try await Self.listen(reserved.number, tls, state, asked))
        for pod in pods { set(pod) }
    }

    var port: Int { reserved.number }
    var url: String { "\(tls == nil ? "http" : "https")://127.0.0.1:\(port)" }

    /// Waits for a watch that begins; passes over the requests before it.
    func watched() async {
        for await request in requests where request.isWatch { return }
    }

    // MARK: The cluster

    /// Adds a pod, or changes it.
    func set(_ pod: APIPod) { emit(pod, Self.setting(pod)) }

    /// Deletes a pod; or takes it out of the selection, which a watch tells alike.
    func remove(_ name: String, namespace: String = "default") {
        guard let pod = state.withLockedValue({ $0.pods["\(namespace)/\(name)"] }) else { return }
        emit(pod) { state in
            state.pods["\(namespace)/\(name)"] = nil
            return "DELETED"
        }
    }

    /// Replaces all, a change at a time.
    func replace(_ pods: [APIPod]) {
        let names = Set(pods.map(\.name))
        for pod in state.withLockedValue({ Array($0.pods.values) }) where !names.contains(pod.name) {
            remove(pod.name, namespace: pod.namespace)
        }
        for pod in pods { set(pod) }
    }

    /// Changes pods while no watch hears of it; the next one does, unless it is forgotten by then.
    func setUnheard(_ pod: APIPod) { _ = record(pod, Self.setting(pod)) }

    private static func setting(_ pod: APIPod) -> (inout State) -> String {
        { $0.pods.updateValue(pod, forKey: "\(pod.namespace)/\(pod.name)") == nil ? "ADDED" : "MODIFIED" }
    }

    private func emit(_ pod: APIPod, _ change: (inout State) -> String) {
        let (line, watchers) = record(pod, change)
        for watcher in watchers { Self.chunk(line + "\n", to: watcher) }
    }

    private func record(_ pod: APIPod, _ change: (inout State) -> String) -> (line: String, watchers: [any Channel]) {
        state.withLockedValue { state in
            state.version += 1
            let type = change(&state)
            let line = #"{"type":"\#(type)","object":\#(pod.json(version: state.version))}"#
            state.history.append((state.version, line, pod.namespace))
            return (line, state.watchers.filter { $0.namespace == nil || $0.namespace == pod.namespace }.map(\.channel))
        }
    }

    // MARK: Trouble

    func begin(_ trouble: Trouble) { state.withLockedValue { $0.trouble = trouble } }
    func endTrouble() { state.withLockedValue { $0.trouble = nil } }
    /// Takes only requests that show this token.
    func demand(token: String) { state.withLockedValue { $0.token = token } }

    /// Forgets everything before now, as etcd's compaction does.
    func compact() { state.withLockedValue { $0.oldest = $0.version } }

    /// Sends a line to all who watch.
    func say(_ line: String) {
        for watcher in state.withLockedValue({ $0.watchers }) { Self.chunk(line + "\n", to: watcher.channel) }
    }

    /// Ends all watches, properly: as at the end of their time.
    func endWatches() {
        let watchers = state.withLockedValue { state in
            defer { state.watchers = [] }
            return state.watchers
        }
        for watcher in watchers {
            watcher.channel.writeAndFlush(ByteBuffer(string: "0\r\n\r\n"), promise: nil)
        }
    }

    /// Closes all connections.
    func cut() {
        let channels = state.withLockedValue { state in
            defer { (state.watchers, state.connections) = ([], []) }
            return state.connections
        }
        for channel in channels { channel.close(promise: nil) }
    }

    /// Listens no more, and closes all connections.
    func stop() async throws {
        let channel = listener.withLockedValue { channel in
            defer { channel = nil }
            return channel
        }
        try await channel?.close()
        cut()
    }

    /// Listens again, on the same port.
    func start() async throws {
        let channel = try await Self.listen(port, tls, state, asked)
        listener.withLockedValue { $0 = channel }
    }

    // MARK: Answers

    private static func listen(
        _ port: Int,
        _ tls: NIOSSLContext?,
        _ state: NIOLockedValueBox<State>,
        _ asked: AsyncStream<Request>.Continuation
    ) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    state.withLockedValue { $0.connections.append(channel) }
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(
                        RequestReader { head, channel in
                            Self.answer(head, channel, state, asked)
                        }
                    )
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    private static func answer(
        _ head: String,
        _ channel: any Channel,
        _ state: NIOLockedValueBox<State>,
        _ asked: AsyncStream<Request>.Continuation
    ) {
        let lines = head.split(separator: "\r\n")
        let target = String(lines[0].split(separator: " ")[1])
        let authorization = lines.first { $0.lowercased().hasPrefix("authorization: ") }.map {
            String($0.dropFirst(15))
        }
        let request = Request(target: target, authorization: authorization)
        state.withLockedValue { state in
            if let token = state.token, authorization != "Bearer \(token)" {
                return refuse(401, "Unauthorized", on: channel)
            }
            switch state.trouble {
            case .status(let code, let words): return refuse(code, words, on: channel)
            case .body(let body): return whole("200 OK", body, on: channel)
            case .watchStatus(let code, let words) where request.isWatch: return refuse(code, words, on: channel)
            case .forgetsPages where target.contains("continue="):
                state.trouble = nil
                return refuse(410, "The provided continue parameter is too old", on: channel)
            case .endlessPages(let isCircle) where !request.isWatch:
                state.version += 1
                let next = isCircle ? "again" : "\(state.version)"
                let metadata = #"{"resourceVersion":"1","continue":"\#(next)"}"#
                return whole("200 OK", #"{"kind":"PodList","metadata":\#(metadata),"items":[]}"#, on: channel)
            default: break
            }
            let path = target.prefix { $0 != "?" }.split(separator: "/")
            let namespace = path.count == 5 ? String(path[3]) : nil
            if request.isWatch {
                watch(target, namespace, channel, &state)
            } else {
                list(target, namespace, channel, state)
            }
        }
        // After the answer's place in the order of all is certain.
        asked.yield(request)
    }

    private static func parameter(_ name: String, of target: String) -> String? {
        target.split(separator: "?").last?.split(separator: "&").first { $0.hasPrefix("\(name)=") }
            .map { String($0.dropFirst(name.count + 1)) }
    }

    private static func list(_ target: String, _ namespace: String?, _ channel: any Channel, _ state: State) {
        let pods = state.pods.values.filter { namespace == nil || $0.namespace == namespace }.sorted {
            $0.name < $1.name
        }
        let start = parameter("continue", of: target).flatMap(Int.init) ?? 0
        let size = parameter("limit", of: target).flatMap(Int.init) ?? Int.max
        let page = pods.dropFirst(start).prefix(size)
        let next = start + page.count < pods.count ? #","continue":"\#(start + page.count)""# : ""
        let items = page.map { $0.json() }.joined(separator: ",")
        let metadata = #"{"resourceVersion":"\#(state.version)"\#(next)}"#
        whole(
            "200 OK",
            #"{"kind":"PodList","apiVersion":"v1","metadata":\#(metadata),"items":[\#(items)]}"#,
            on: channel
        )
    }

    private static func watch(_ target: String, _ namespace: String?, _ channel: any Channel, _ state: inout State) {
        channel.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), promise: nil)
        if case .silence = state.trouble { return }
        let from = parameter("resourceVersion", of: target).flatMap(Int.init) ?? 0
        guard from >= state.oldest else {
            let status =
                #"{"kind":"Status","status":"Failure","message":"too old resource version: \#(from)","reason":"Expired","code":410}"#
            chunk(#"{"type":"ERROR","object":\#(status)}"# + "\n", to: channel)
            channel.writeAndFlush(ByteBuffer(string: "0\r\n\r\n"), promise: nil)
            return
        }
        for event in state.history where event.version > from && (namespace == nil || event.namespace == namespace) {
            chunk(event.line + "\n", to: channel)
        }
        state.watchers.append((channel, namespace))
    }

    private static func chunk(_ text: String, to channel: any Channel) {
        channel.writeAndFlush(
            ByteBuffer(string: "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"),
            promise: nil
        )
    }

    private static func refuse(_ code: Int, _ words: String, on channel: any Channel) {
        whole(
            "\(code) Refused",
            #"{"kind":"Status","status":"Failure","message":"\#(words)","code":\#(code)}"#,
            on: channel
        )
    }

    private static func whole(_ status: String, _ body: String, on channel: any Channel) {
        channel.writeAndFlush(
            ByteBuffer(string: "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"),
            promise: nil
        )
    }

    /// Hands over each head; requests have no bodies here.
    private final class RequestReader: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let handle: (String, any Channel) -> Void
        private var bytes = ByteBuffer()

        init(_ handle: @escaping (String, any Channel) -> Void) { self.handle = handle }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var part = unwrapInboundIn(data)
            bytes.writeBuffer(&part)
            while let end = bytes.readableBytesView.firstRange(of: "\r\n\r\n".utf8) {
                let length = end.upperBound - bytes.readerIndex
                handle(bytes.readString(length: length)!, context.channel)
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
