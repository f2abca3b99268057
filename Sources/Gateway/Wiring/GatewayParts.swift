import Admin
import Core
import Dispatcher
import Ingress
import Logging
import NIOCore
import NIOPosix
import OpenAPI
import Pods
import Queue
import Telemetry

/// Every part of a gateway, made from its configuration and joined, before anything runs.
struct GatewayParts: Sendable {
    let loaded: LoadedConfiguration
    /// Serves clients and pods; the dispatcher decides on its first loop.
    let group: MultiThreadedEventLoopGroup
    /// Serves operators, and asks name servers, so that neither holds up a request.
    let adminGroup: MultiThreadedEventLoopGroup
    let queue: RequestQueue
    let routes: RouteBook
    /// The document where `openapi_spec_path` names none.
    let embedded: OpenAPIDocument?
    let pods: PodSource
    let curl: CurlClient
    let transport: UpstreamTransport
    let directory: PodDirectory
    let dispatcher: RequestDispatcher
    let replayer: Replayer
    let replays: ReplayRunner
    let ingress: IngressServer
    let health: HealthState
    /// Who may call the operators' listener.
    let gate: AdminGate
    /// Its certificate, where it has one.
    let adminTLS: AdminTLS?
    let metrics: MetricsRegistry
    /// nil where nothing is traced.
    let tracing: GatewayTracing?
    private let lag = EventLoopLag()

    /// Reads the routes, opens the database and makes the rest.
    /// - Throws: The error of the part that cannot be. Nothing is left open then.
    static func make(
        _ loaded: LoadedConfiguration,
        logs: LogOutput,
        descriptorLimit: Int,
        document: OpenAPIDocument?
    ) async throws -> GatewayParts {
        let routes = RouteBook()
        for warning in try RouteSource(loaded, book: routes, embedded: document).read().warnings {
            logs.logger("gateway").warning("OpenAPI document", metadata: ["warning": "\(warning)"])
        }
        let settings = loaded.settings
        let adminTLS = try settings.adminTLS()
        let curl = CurlClient()
        let adminGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.eventLoops ?? System.coreCount)
        do {
            let pods = try PodSource(loaded, client: curl, group: adminGroup, logger: logs.logger("discovery"))
            let transport = try UpstreamTransport(configuration: settings.podsConfiguration, group: group)
            let queue = try RequestQueue.open(settings.queueConfiguration, logger: logs.logger("queue"))
            let made = Made(
                group: group,
                adminGroup: adminGroup,
                queue: queue,
                routes: routes,
                embedded: document,
                pods: pods,
                curl: curl,
                transport: transport,
                adminTLS: adminTLS
            )
            return GatewayParts(loaded, made, logs: logs, descriptorLimit: descriptorLimit)
        } catch {
            curl.shutdown()
            try? await adminGroup.shutdownGracefully()
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// What may fail to be made; the rest only joins it.
    private struct Made {
        let group, adminGroup: MultiThreadedEventLoopGroup
        let queue: RequestQueue
        let routes: RouteBook
        let embedded: OpenAPIDocument?
        let pods: PodSource
        let curl: CurlClient
        let transport: UpstreamTransport
        let adminTLS: AdminTLS?
    }

    private init(_ loaded: LoadedConfiguration, _ made: Made, logs: LogOutput, descriptorLimit: Int) {
        let settings = loaded.settings
        let (group, queue, routes, curl) = (made.group, made.queue, made.routes, made.curl)
        let health = HealthState()
        let metrics = MetricsRegistry()
        let spans = SpanBuffer()
        let tracing = GatewayTracing(settings, buffer: spans, client: curl, logger: logs.logger("traces"))
        let polling = PollingRelay()
        let dispatcher = RequestDispatcher(
            eventLoop: group.next(),
            configuration: settings.dispatchConfiguration,
            exchangeConfiguration: settings.exchangeConfiguration,
            routes: routes.current.routes,
            journal: queue.journal,
            transport: made.transport,
            polling: polling,
            logger: logs.logger("dispatcher"),
            tracer: tracing?.tracer
        )
        self.loaded = loaded
        self.group = group
        self.queue = queue
        self.routes = routes
        self.dispatcher = dispatcher
        transport = made.transport
        replayer = Replayer(dispatcher: dispatcher, routing: BookRouting(book: routes), budget: queue.budget)
        replays = ReplayRunner(
            queue: queue,
            replayer: replayer,
            dispatcher: dispatcher,
            logger: logs.logger("replays")
        )
        self.health = health
        adminTLS = made.adminTLS
        let logger = logs.logger("admin")
        gate = AdminGate(
            settings.tokens,
            onLimit: {
                logger.warning("too many wrong tokens came from an address", metadata: ["client": "\($0)"])
            }
        )
        self.metrics = metrics
        embedded = made.embedded
        adminGroup = made.adminGroup
        pods = made.pods
        self.curl = curl
        self.tracing = tracing
        directory = PodDirectory(
            discovery: pods.discovery,
            observer: DiscoveryWitness(observer: PollMeter(observer: dispatcher, registry: metrics), health: health),
            client: curl,
            configuration: settings.podsConfiguration,
            logger: logs.logger("pods")
        )
        polling.set(directory)
        ingress = IngressServer(
            configuration: settings.ingressConfiguration(descriptorLimit: descriptorLimit),
            eventLoopGroup: group,
            routes: routes,
            intake: dispatcher,
            journal: queue.journal,
            spool: queue.spool,
            budget: queue.budget,
            health: health,
            logger: logs.logger("ingress"),
            onDrainTimeout: { await dispatcher.refuseAllWaiting() }
        )
        metrics.add(
            RequestCollector(meter: queue.meter),
            DispatchCollector(dispatcher: dispatcher, maxQueueDepth: settings.maxQueueDepth, health: health),
            DiscoveryCollector(directory: directory),
            StorageCollector(queue: queue),
            GatewayCollector(ingress: ingress, eventLoops: Array(group.makeIterator()).count),
            SpanCollector(buffer: spans),
            ProcessCollector()
        )
        lag.start(on: group, registry: metrics)
    }

    /// The operators' listener.
    func adminServer(logger: Logger, onRunning: @escaping @Sendable (Int) async -> Void) throws -> AdminServer {
        try AdminServer(
            configuration: loaded.settings.adminConfiguration,
            subjects: AdminServer.Subjects(
                dispatcher: dispatcher,
                replayer: replayer,
                replays: replays,
                queue: queue,
                meter: queue.meter,
                metrics: metrics,
                routes: { [routes] in routes.current.routes },
                readiness: { [health] in
                    let report = health.report
                    return AdminServer.Readiness(
                        isReady: report.isReady,
                        isDraining: report.draining,
                        body: report.json
                    )
                },
                discovery: { [directory, mode = loaded.settings.discoveryMode.rawValue] in
                    let status = directory.status
                    return (mode, DiscoveryUpdate(pods: [], skipped: status.skipped, problem: status.problem))
                }
            ),
            gate: gate,
            tls: adminTLS,
            eventLoopGroup: adminGroup,
            logger: logger,
            onRunning: onRunning
        )
    }

    /// Queues the replays that waited when the gateway last ended; their rows are there already.
    func resumeReplays() {
        for recovered in queue.takeRecovered() { replayer.resume(recovered) }
    }

    /// Closes everything, last made first. Nothing runs any more.
    func close() async {
        lag.stop()
        curl.shutdown()
        await dispatcher.ended(within: .seconds(2))
        await queue.close()
        try? await adminGroup.shutdownGracefully()
        try? await group.shutdownGracefully()
    }
}
