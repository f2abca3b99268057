package import NIOCore
import OpenAPI
package import Pods

/// Bounds on what is taken from an API server, in time and size.
package struct KubernetesLimits: Sendable {
    /// For a connection to come about, its TLS handshake included.
    package var connectTimeout = TimeAmount.seconds(2)
    /// For one page of a list.
    package var listTimeout = TimeAmount.seconds(15)
    /// Pods in one page of a list.
    package var pageSize = 200
    /// The largest page, in bytes.
    package var pageBytes = 64 << 20
    /// Pages of one list. Servers may make them smaller than asked for.
    package var pages = 1_000
    /// Pods in all pages together.
    package var pods = 20_000
    /// How long a watch is asked to last, in seconds. Before its end the API server sends a bookmark: where the next one begins.
    package var watchSeconds = 30
    /// How long a watch may say nothing, in seconds, before it is taken for dead: longer than ``watchSeconds``.
    package var silenceSeconds = 35
    /// The largest event, in bytes. An object has at most 1.5 MiB (etcd's bound on requests).
    package var eventBytes = 4 << 20
    /// Events that came and were not looked at yet, in bytes; beyond it a watch is ended.
    package var waitingBytes = 16 << 20

    package init() {}
}

/// Calls of an API server. Each reads tokens and certificates anew, and the kubeconfig with them: they change while the gateway runs.
package struct KubernetesClient: Sendable {
    private let client: CurlClient
    private let location: KubernetesLocation
    let limits: KubernetesLimits

    package init(client: CurlClient, location: KubernetesLocation, limits: KubernetesLimits = KubernetesLimits()) {
        self.client = client
        self.location = location
        self.limits = limits
    }

    /// One answer, whole.
    /// - Parameter target: Path and query.
    func get(_ target: String) async throws(DiscoveryError) -> DocumentNode {
        let access = try location.resolve()
        var request = try request(target, access)
        request.timeout = limits.listTimeout
        request.maximumBytes = limits.pageBytes
        let response: CurlResponse
        do throws(PodsError) {
            response = try await client.send(request)
        } catch {
            throw Self.explain(error, request, access)
        }
        guard 200..<300 ~= response.status else { throw Self.refusal(response, access) }
        return try Self.document(response.body) { "what answers at \(access.url) is no API server: \($0)" }
    }

    /// Follows a watch until it ends; `take` gets what it tells, in order, and hears when it has lasted for a time.
    /// - Throws: What ended it other than the server's own end of it, `take`'s error among that, or `CancellationError`.
    func watch(
        _ target: String,
        steadyAfter steady: Duration,
        of clock: any Clock<Duration>,
        _ take: (WatchNews) throws -> Void
    ) async throws {
        let access = try location.resolve()
        var request = try request(target, access)
        request.timeout = .seconds(Int64(limits.watchSeconds) + 60)
        request.maximumSilence = limits.silenceSeconds
        let feed = LineFeed(limits)
        request.sink = { feed.take($0) }
        let call = CurlCall()
        client.send(request, call) { feed.end($0) }
        defer { client.cancel(call) }
        try await withThrowingTaskGroup(of: Void.self) { timer in
            defer { timer.cancelAll() }
            for await part in feed.parts {
                switch part {
                case .begun:
                    timer.addTask {
                        try await clock.sleep(for: steady)
                        feed.hasLasted()
                    }
                    try take(.taken)
                case .lasted: try take(.steady)
                case .line(let line):
                    let event = try Self.document(line) { "an event of the watch cannot be read: \($0)" }
                    feed.wasTaken(line)
                    try take(.event(event))
                case .end(.success(let response)):
                    guard 200..<300 ~= response.status else { throw Self.refusal(response, access) }
                    return
                case .end(.failure(let error)):
                    if let problem = feed.problem { throw problem }
                    guard error.code != .timedOut else {
                        throw DiscoveryError(.silent, "nothing was heard of the watch for \(limits.silenceSeconds) s")
                    }
                    throw Self.explain(error, request, access)
                }
            }
            // A stream whose reader is cancelled ends.
            throw CancellationError()
        }
    }

    private func request(_ target: String, _ access: KubernetesAccess) throws(DiscoveryError) -> CurlRequest {
        var request = CurlRequest(url: access.url + target)
        if let name = access.serverName, let scheme = access.url.utf8.firstRange(of: "://".utf8) {
            // The name in the certificate takes the host's place, and the connection goes to the host.
            let rest = access.url[scheme.upperBound...]
            let end = rest.firstIndex(of: "/") ?? rest.endIndex
            var authority = String(rest[..<end])
            let hasPort = authority.last != "]" && authority.contains(":")
            if !hasPort { authority += ":443" }
            let port = authority[authority.lastIndex(of: ":")!...]
            request.url = "https://\(name)\(port)\(rest[end...])\(target)"
            request.connectTo = authority
        }
        request.tls = try access.tls()
        request.connectTimeout = limits.connectTimeout
        request.keepsFields = true
        request.fields = [("Accept", "application/json")]
        if let authorization = try access.authorization() { request.fields.append(("Authorization", authorization)) }
        return request
    }

    private static func document(
        _ bytes: [UInt8],
        _ explain: (String) -> String
    ) throws(DiscoveryError) -> DocumentNode {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw DiscoveryError(.invalidAnswer, explain("it is not UTF-8"))
        }
        do throws(DocumentProblem) {
            return try DocumentNode.json(text)
        } catch {
            guard error.code != .tooLarge else {
                throw DiscoveryError(.invalidAnswer, explain("it is too large: \(error.message)"))
            }
            throw DiscoveryError(.invalidAnswer, explain("it is not JSON but \(quoted(text))"))
        }
    }

    // MARK: What is told of what went wrong

    static func explain(_ error: PodsError, _ request: CurlRequest, _ access: KubernetesAccess) -> DiscoveryError {
        let server = "the API server at \(access.url)"
        let words = "\(server) cannot be reached: \(steady(error.message))"
        switch error.code {
        case .tooLarge:
            // Only a list is taken whole.
            let size = request.maximumBytes
            let bound = size >= 1 << 20 && size % (1 << 20) == 0 ? "\(size >> 20) MiB" : "\(size) bytes"
            return DiscoveryError(
                .invalidAnswer,
                "the answer of \(server) is over \(bound): choose a narrower K8S_LABEL_SELECTOR"
            )
        case .timedOut:
            let what = "no whole answer within \(seconds(request.timeout)) s"
            return DiscoveryError(.unreachable, "\(server) cannot be reached: \(what)")
        case .connectTimedOut:
            let what = "no connection within \(seconds(request.connectTimeout)) s"
            return DiscoveryError(
                .unreachable,
                "\(server) cannot be reached: \(what): check its address, and NetworkPolicies"
            )
        case .connectFailed:
            return DiscoveryError(.unreachable, "\(words): check its address, and NetworkPolicies")
        case .handshakeFailed, .untrusted:
            // What is wrong with our own is no trouble of the network. It could be used at the start: a file is being replaced, and soon whole.
            do throws(DiscoveryError) { try access.checkCertificates() } catch {
                return DiscoveryError(.invalidFile, error.message)
            }
            guard error.code == .untrusted else { return DiscoveryError(.unreachable, words) }
            let advice =
                access.authority == nil
                ? "name its certificate-authority in a kubeconfig"
                : "check certificate-authority and tls-server-name of \(access.origin)"
            return DiscoveryError(.untrusted, "\(words): \(advice)")
        default: return DiscoveryError(.unreachable, words)
        }
    }

    private static func seconds(_ time: TimeAmount) -> String {
        let seconds = Double(time.nanoseconds) / 1e9
        return seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
    }

    /// Without the times and counts in libcurl's words: a cause that stays must read the same each time.
    static func steady(_ text: String) -> String {
        shown(text).replacing(/\ after \d+ (ms|milliseconds)/, with: "").replacing(/\ \(\d+ ms\)/, with: "")
            .replacing(/\ with \d+ (out of -?\d+ )?bytes .*/, with: "")
    }

    /// An answer other than 2xx, in the API server's words (kubernetes.io/docs/reference/using-api/api-concepts: a `Status`).
    private static func refusal(_ response: CurlResponse, _ access: KubernetesAccess) -> DiscoveryError {
        let text = String(decoding: response.body.prefix(64 << 10), as: UTF8.self)
        let status = try? DocumentNode.json(text)
        let words =
            status?["message"]?.text.map { shown($0) } ?? (text.isEmpty ? "without a word" : quoted(text))
        var error = refusal(response.status, words: words, at: access.url, as: access.origin)
        if let seconds = response.field("Retry-After").flatMap(Int.init), seconds >= 0 {
            error.retryAfter = .seconds(min(seconds, 60))
        }
        return error
    }

    static func refusal(_ status: Int, words: String, at url: String, as origin: String) -> DiscoveryError {
        switch status {
        case 401:
            DiscoveryError(
                .unauthorized,
                "the API server does not accept the credentials of \(origin): \(words) (401): renew them, they are read again"
            )
        case 403: DiscoveryError(.forbidden, "the API server does not permit it: \(words) (403)")
        case 410: .gone(words)
        default: DiscoveryError(.refused, "the API server at \(url) answered: \(words) (\(status))")
        }
    }
}
