import Core
package import Dispatcher
package import Ingress
import Logging
package import NIOCore
import NIOPosix
import OpenAPI
package import Pods
package import Queue
import ServiceLifecycle

/// The whole gateway in one process: every part, made from one configuration, in the order in which they depend on each other.
///
/// ``open(_:logs:descriptorLimit:document:reload:)`` makes the parts and listens, so that what cannot work fails before anything
/// runs; ``run(signals:)`` runs them until a shutdown and closes everything.
package final class GatewayServer: Sendable {
    package let configuration: LoadedConfiguration
    package let queue: RequestQueue
    package let routes: RouteBook
    package let dispatcher: RequestDispatcher
    package let directory: PodDirectory
    package let ingress: IngressServer
    package let health: HealthState
    private let discovery: StaticDiscovery
    private let curl: CurlClient
    private let reloads: ReloadService
    private let reloadTicks: AsyncStream<Void>.Continuation
    private let group: MultiThreadedEventLoopGroup
    private let logs: LogOutput
    private let logger: Logger

    private init(
        _ parts: Parts,
        _ loaded: LoadedConfiguration,
        _ logs: LogOutput,
        read: (@Sendable () throws -> LoadedConfiguration)?
    ) {
        configuration = loaded
        queue = parts.queue
        routes = parts.routes
        dispatcher = parts.dispatcher
        directory = parts.directory
        ingress = parts.ingress
        health = parts.health
        discovery = parts.discovery
        curl = parts.curl
        group = parts.group
        self.logs = logs
        logger = logs.logger("gateway")
        let (ticks, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        reloadTicks = continuation
        reloads = ReloadService(
            ReloadService.Parts(
                routes: routes,
                dispatcher: dispatcher,
                discovery: discovery,
                settings: queue.settings,
                logs: logs
            ),
            current: loaded,
            ticks: ticks,
            read: read ?? { loaded },
            logger: logs.logger("reload")
        )
    }

    /// Where clients reach it.
    package var address: SocketAddress {
        guard let address = ingress.address else { preconditionFailure("a gateway is open once it listens") }
        return address
    }

    /// Reads configuration and document again, as SIGHUP does.
    package func reload() async {
        reloads.request()
        await reloads.tick()
    }

    /// Runs until a graceful shutdown, drains, and closes everything.
    /// - Parameter signals: Whether SIGTERM, SIGINT and SIGHUP mean this gateway; in tests they do not.
    package func run(signals: Bool) async throws {
        let shutdown = ShutdownTrigger()
        // Shut down backwards: ingress drains while what it needs still runs; signals are heard until the end.
        let services: [any Service] =
            (signals ? [signalService(shutdown)] : []) + [
                directory,
                HealthService(health: health, directory: directory, dispatcher: dispatcher, journal: queue.journal),
                // The operators' listener goes here: it outlives the clients' one, so that a drain can be watched.
                ingress,
                reloads,
                TickService(every: .seconds(1)) { [reloadTicks] in reloadTicks.yield() },
            ]
        let serviceGroup = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
                logger: logs.logger("services")
            )
        )
        shutdown.set { await serviceGroup.triggerGracefulShutdown() }
        let result: Result<Void, any Error>
        do {
            try await serviceGroup.run()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await close()
        do {
            try result.get()
        } catch {
            throw GatewayError(.ended, "the gateway ended", cause: error)
        }
    }

    private func signalService(_ shutdown: ShutdownTrigger) -> SignalService {
        SignalService(
            beginDrain: { await shutdown.pull() },
            reload: { [reloads, reloadTicks] in
                reloads.request()
                reloadTicks.yield()
            },
            exit: { [logs] code in
                logs.flush()
                Process.end(code)
            },
            logger: logger
        )
    }

    /// Closes what outlives the services, last first.
    package func close() async {
        reloadTicks.finish()
        curl.shutdown()
        await queue.close()
        try? await group.shutdownGracefully()
        logger.info("ended")
    }
}

extension GatewayServer {
    /// Everything that is made before anything runs.
    private struct Parts {
        var group: MultiThreadedEventLoopGroup
        var queue: RequestQueue
        var routes: RouteBook
        var discovery: StaticDiscovery
        var curl: CurlClient
        var directory: PodDirectory
        var dispatcher: RequestDispatcher
        var ingress: IngressServer
        var health: HealthState
    }

    /// Opens the database, recovers it, reads the routes, and listens for clients.
    /// - Parameters:
    ///   - document: An OpenAPI document in place of the one at `openapi_spec_path`.
    ///   - reload: Reads the configuration again; nil where it cannot change.
    /// - Throws: ``GatewayError`` that says which part cannot work and why. Nothing is left open then.
    package static func open(
        _ loaded: LoadedConfiguration,
        logs: LogOutput,
        descriptorLimit: Int,
        reload: (@Sendable () throws -> LoadedConfiguration)? = nil
    ) async throws -> GatewayServer {
        let settings = loaded.settings
        let logger = logs.logger("gateway")
        let routes = RouteBook()
        let read = try RouteSource(loaded, book: routes).read()
        for warning in read.warnings { logger.warning("OpenAPI document", metadata: ["warning": "\(warning)"]) }

        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.eventLoops ?? System.coreCount)
        do {
            let transport = try UpstreamTransport(configuration: settings.podsConfiguration, group: group)
            let queue = try RequestQueue.open(settings.queueConfiguration, logger: logs.logger("queue"))
            do {
                let server = GatewayServer(
                    makeParts(loaded, logs, descriptorLimit, group, queue, routes, transport),
                    loaded,
                    logs,
                    read: reload
                )
                await server.dispatcher.adopt(read.table, overrides: queue.settings.holdTimeouts)
                server.health.databaseOpened()
                try await server.ingress.start()
                logger.info(
                    "gateway started",
                    metadata: [
                        "version": "\(ProgramVersion.current)", "address": "\(server.address)",
                        "database": "\(settings.databasePath)",
                        "pods": "\(settings.staticBackends.count)", "routes": "\(read.table.routes.count)",
                    ]
                )
                return server
            } catch {
                await queue.close()
                throw error
            }
        } catch {
            try? await group.shutdownGracefully()
            throw Self.explained(error)
        }
    }

    private static func makeParts(
        _ loaded: LoadedConfiguration,
        _ logs: LogOutput,
        _ descriptorLimit: Int,
        _ group: MultiThreadedEventLoopGroup,
        _ queue: RequestQueue,
        _ routes: RouteBook,
        _ transport: UpstreamTransport
    ) -> Parts {
        let settings = loaded.settings
        let health = HealthState()
        let polling = PollingRelay()
        let dispatcher = RequestDispatcher(
            eventLoop: group.next(),
            configuration: settings.dispatchConfiguration,
            exchangeConfiguration: settings.exchangeConfiguration,
            routes: routes.current.routes,
            holdTimeouts: [:],
            journal: queue.journal,
            transport: transport,
            polling: polling
        )
        let discovery = StaticDiscovery(backends: settings.staticBackends)
        let curl = CurlClient()
        let directory = PodDirectory(
            discovery: discovery,
            observer: DiscoveryWitness(observer: dispatcher, health: health),
            client: curl,
            configuration: settings.podsConfiguration,
            logger: logs.logger("pods")
        )
        polling.set(directory)
        let ingress = IngressServer(
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
        return Parts(
            group: group,
            queue: queue,
            routes: routes,
            discovery: discovery,
            curl: curl,
            directory: directory,
            dispatcher: dispatcher,
            ingress: ingress,
            health: health
        )
    }

    /// The error of a part as one that a person can act on.
    private static func explained(_ error: any Error) -> GatewayError {
        switch error {
        case let error as GatewayError: error
        case let error as QueueError: GatewayError(.storage, "database_path: \(error)")
        case let error as IngressError: GatewayError(.listen, "\(error)")
        case let error as PodsError: GatewayError(.configuration, "\(error)")
        default: GatewayError(.ended, "the gateway cannot start", cause: error)
        }
    }
}
