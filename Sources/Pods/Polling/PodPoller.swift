import Core
import Logging
import NIOCore

/// Asks each pod for its capacity when ``PollSchedule`` says so, and tells the observer. On the HTTP client's thread only, as the
/// observer's calls are: so they come in order, and none about a pod before it was announced or after it was taken away.
final class PodPoller: @unchecked Sendable {
    // `@unchecked`: everything mutable is used on the client's thread only.
    private let client: CurlClient
    private let observer: any PodObserver
    private let configuration: PodsConfiguration
    private let logger: Logger

    private var schedule: PollSchedule
    private var pods: [Pod] = []
    private var underWay: [Int: CurlCall] = [:]
    private var troubles = PollTroubles()
    /// The earliest timer that is set. One that was set for later and is no longer needed finds nothing to do.
    private var timer: NIODeadline?
    private var isRunning = false

    init(
        client: CurlClient,
        observer: any PodObserver,
        configuration: PodsConfiguration,
        generator: any RandomNumberGenerator & Sendable,
        logger: Logger
    ) {
        self.client = client
        self.observer = observer
        self.configuration = configuration
        self.logger = logger
        schedule = PollSchedule(
            interval: configuration.capacityInterval,
            minimumDistance: configuration.minimumPollDistance,
            generator: generator
        )
    }

    /// These are all pods now.
    func replace(_ pods: [Pod]) {
        isRunning = true
        let keys = Set(pods.lazy.map(\.key))
        for (key, call) in underWay where !keys.contains(key) {
            underWay[key] = nil
            client.cancelHere(call)
        }
        self.pods = pods
        troubles.keep(only: keys)
        observer.podsChanged(pods)
        schedule.replace(pods, now: .now())
        advance()
    }

    /// Ends all polling; the observer hears nothing more until the next ``replace(_:)``.
    func stop() {
        isRunning = false
        schedule.replace([], now: .now())
        let calls = underWay.values
        underWay = [:]
        for call in calls { client.cancelHere(call) }
    }

    func want(_ pod: Pod) {
        guard isRunning else { return }
        schedule.want(pod, now: .now())
        advance()
    }

    func setInterval(_ interval: TimeAmount?, for pod: Pod) {
        guard isRunning else { return }
        schedule.setInterval(interval, for: pod, now: .now())
        advance()
    }

    /// Begins what is due and sets the timer for what comes next.
    private func advance() {
        for pod in schedule.begin(at: .now()) { poll(pod) }
        guard let next = schedule.next() else { return }
        if let timer, timer <= next { return }
        timer = next
        client.scheduleHere(at: next) { [weak self] in
            guard let self else { return }
            if timer == next { timer = nil }
            advance()
        }
    }

    private func poll(_ pod: Pod) {
        let call = CurlCall()
        underWay[pod.key] = call
        let sentAt = NIODeadline.now()
        client.sendHere(request(for: pod), call) { [self] result in
            // Taken away, or polling was stopped: then it is not its poll any more that is under way.
            guard underWay[pod.key] === call else { return }
            underWay[pod.key] = nil
            let receivedAt = NIODeadline.now()
            schedule.ended(pod, at: receivedAt)
            do throws(PodsError) {
                let report = try Self.report(result)
                if troubles.succeeded(pod.key) {
                    logger.notice("a pod reports its capacity again", metadata: ["pod": "\(pod.id)"])
                }
                observer.sampled(pod, report, sentAt: sentAt, receivedAt: receivedAt)
            } catch {
                guard error.code != .closed else { return }
                let isNews = troubles.failed(pod.key)
                logger.log(
                    level: isNews ? .warning : .debug,
                    "a pod does not report its capacity",
                    metadata: ["pod": "\(pod.id)", "error": "\(error)"]
                )
                observer.pollFailed(pod, error.message, sentAt: sentAt, receivedAt: receivedAt)
            }
            advance()
        }
    }

    private static func report(_ result: Result<CurlResponse, PodsError>) throws(PodsError) -> CapacityReport {
        let answer = try result.get()
        guard answer.status == 200 else {
            throw PodsError(.invalidReport, "GET /capacity was answered with status \(answer.status)")
        }
        return try CapacityReader.read(answer.body)
    }

    private func request(for pod: Pod) -> CurlRequest {
        let description = pod.description
        var request = CurlRequest(url: "\(description.url)/capacity")
        if description.scheme == .https, let name = configuration.tlsServerName {
            request.url = "https://\(name):\(description.port)/capacity"
            request.connectTo = description.authority
        }
        request.isAddress = pod.description.isAddress
        request.caFile = configuration.caFile
        request.clientCertificate = configuration.clientCertificate
        request.connectTimeout = min(configuration.connectTimeout, configuration.capacityTimeout)
        request.timeout = configuration.capacityTimeout
        request.maximumBytes = configuration.maximumCapacityBytes
        request.fields = [("Accept", "application/json")]
        return request
    }
}

extension PodDescription {
    /// Whether its host is an address and no name.
    fileprivate var isAddress: Bool { (try? SocketAddress(ipAddress: host, port: port)) != nil }
}
