package import Core
package import Dispatcher
import HTTPTypes
import Hummingbird
import HummingbirdCore
package import Logging
package import NIOCore
package import Queue
import ServiceLifecycle
package import Telemetry

/// The operators' listener: their page at `/admin`, JSON under `/admin/api`, and `/health`, `/ready` and `/metrics`. What answers GET
/// answers HEAD.
package struct AdminServer: Service {
    /// What the calls look at and change.
    package struct Subjects: Sendable {
        package var dispatcher: RequestDispatcher
        package var replayer: Replayer
        package var replays: ReplayRunner
        package var queue: RequestQueue
        package var meter: RequestMeter
        package var metrics: MetricsRegistry
        /// The routes as they are now, `default` first.
        package var routes: @Sendable () -> [Route]
        package var readiness: @Sendable () -> Readiness
        /// How pods are found, and what discovery said last.
        package var discovery: @Sendable () -> (mode: String, update: DiscoveryUpdate)

        package init(
            dispatcher: RequestDispatcher,
            replayer: Replayer,
            replays: ReplayRunner,
            queue: RequestQueue,
            meter: RequestMeter,
            metrics: MetricsRegistry,
            routes: @escaping @Sendable () -> [Route],
            readiness: @escaping @Sendable () -> Readiness,
            discovery: @escaping @Sendable () -> (mode: String, update: DiscoveryUpdate)
        ) {
            self.dispatcher = dispatcher
            self.replayer = replayer
            self.replays = replays
            self.queue = queue
            self.meter = meter
            self.metrics = metrics
            self.routes = routes
            self.readiness = readiness
            self.discovery = discovery
        }

        var log: RequestLog { queue.log }
        var settings: Settings { queue.settings }
    }

    /// What `/ready` answers.
    package struct Readiness: Sendable {
        package var isReady: Bool
        package var isDraining: Bool
        /// JSON.
        package var body: String

        package init(isReady: Bool, isDraining: Bool, body: String) {
            self.isReady = isReady
            self.isDraining = isDraining
            self.body = body
        }
    }

    private let configuration: AdminConfiguration
    private let subjects: Subjects
    /// Who listens to events.
    private let events = EventHub()
    private let document: AdminDocument
    private let gate: AdminGate
    private let tls: AdminTLS?
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onRunning: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - gate: Who may come in.
    ///   - tls: The certificate; nil to speak HTTP without TLS.
    ///   - onRunning: Called with the port once requests are accepted.
    /// - Throws: ``AdminError`` where the listener would be open to the network without a token.
    package init(
        configuration: AdminConfiguration,
        subjects: Subjects,
        gate: AdminGate,
        tls: AdminTLS? = nil,
        eventLoopGroup: any EventLoopGroup,
        logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) throws {
        guard configuration.isLoopback || gate.hasFullToken else {
            throw AdminError(
                code: .tokenMissing,
                message:
                    "ADMIN_HOST is \(configuration.host), which other machines can reach: set ADMIN_TOKEN_FILE, or ADMIN_HOST to 127.0.0.1"
            )
        }
        self.configuration = configuration
        self.subjects = subjects
        document = try AdminDocument(version: configuration.version)
        self.gate = gate
        self.tls = tls
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onRunning = onRunning
    }

    package func run() async throws {
        let onRunning = onRunning
        let application = Application(
            router: router(),
            server: .admin(tls, idleTimeout: configuration.idleTimeout),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: nil,
                availableConnectionsDelegate: .maximum(configuration.maxConnections, logger: logger)
            ),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? 0) },
            eventLoopGroupProvider: .shared(eventLoopGroup),
            logger: logger
        )
        do {
            try await withGracefulShutdownHandler {
                try await serve(application)
            } onGracefulShutdown: { [events] in
                // The server waits for its answers to end, and these end only when they are told to.
                events.end()
            }
        } catch let error where error is IOError || error is SocketAddressError {
            let address = "\(configuration.host):\(configuration.port) (ADMIN_HOST, ADMIN_PORT)"
            throw AdminError(
                code: .cannotBind,
                message: "cannot listen for operators at \(address): \(ListeningFailure(error).words)"
            )
        }
    }

    private func serve(_ application: some ApplicationProtocol) async throws {
        let feed = EventFeed(subjects.eventSources, hub: events, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await feed.run(clock: .continuous) }
            defer {
                events.end()
                group.cancelAll()
            }
            try await application.run()
        }
    }

    /// Method and path of everything that is answered; HEAD is wherever GET is.
    var calls: [String] { router().routes.map { "\($0.method.rawValue) \($0.path)" } }

    private func router() -> Router<AdminContext> {
        let router = Router(context: AdminContext.self, options: .autoGenerateHeadEndpoints)
        router.addMiddleware {
            SecurityHeaders()
            ProblemMiddleware()
            AccessMiddleware(
                gate: gate,
                callers: CallerRule(trustedProxies: configuration.trustedProxies, hasTLS: tls != nil),
                hosts: HostRule(allowed: configuration.names)
            )
        }
        SessionCalls(gate: gate, version: configuration.version, logger: logger).add(to: router)
        router.get("/health") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: "ok\n"))
            )
        }
        router.get("/ready") { _, _ in
            let readiness = subjects.readiness()
            return Response(
                status: readiness.isReady ? .ok : .serviceUnavailable,
                headers: [.contentType: "application/json", .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: readiness.body))
            )
        }
        MetricsCalls(registry: subjects.metrics).add(to: router)
        PageCalls().add(to: router)
        let api = router.group("/admin/api")
        let operators = Operators(subjects: subjects, logger: logger)
        QueueCalls(subjects: subjects, operators: operators).add(to: api)
        PodCalls(subjects: subjects, operators: operators).add(to: api)
        RouteCalls(subjects: subjects, operators: operators).add(to: api)
        RequestCalls(subjects: subjects, operators: operators).add(to: api)
        ChangeCalls(subjects: subjects).add(to: api)
        ReplayCalls(subjects: subjects, operators: operators).add(to: api)
        StorageCalls(subjects: subjects, operators: operators).add(to: api)
        EventCalls(hub: events).add(to: api)
        document.add(to: api)
        return router
    }
}
