import Admin
import Core
package import Dispatcher
package import Ingress
import Logging
package import NIOCore
import NIOPosix
package import OpenAPI
import Pods
package import Queue
package import ServiceLifecycle

/// The whole gateway in one process: every part, in the order in which they depend on each other.
///
/// ``open(_:logs:descriptorLimit:document:reload:)`` makes the parts and listens for clients, so that what cannot work fails before
/// anything runs; ``run(signals:also:onRunning:)`` runs them until a shutdown and closes everything.
package final class GatewayServer: Sendable {
    let parts: GatewayParts
    private let reloads: ReloadService
    private let reloadTicks: AsyncStream<Void>.Continuation
    private let shutdown = ShutdownTrigger()
    private let logs: LogOutput
    private let logger: Logger

    /// - Parameter read: Reads the configuration again.
    init(_ parts: GatewayParts, logs: LogOutput, read: @escaping @Sendable () throws -> LoadedConfiguration) {
        self.parts = parts
        self.logs = logs
        logger = logs.logger("gateway")
        let (ticks, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        reloadTicks = continuation
        reloads = ReloadService(parts, ticks: ticks, read: read, logs: logs)
    }

    package var dispatcher: RequestDispatcher { parts.dispatcher }
    package var queue: RequestQueue { parts.queue }
    package var health: HealthState { parts.health }

    /// Where clients reach it.
    package var address: SocketAddress {
        guard let address = parts.ingress.address else { preconditionFailure("an open gateway listens") }
        return address
    }

    /// Reads configuration and document again, as SIGHUP does.
    package func reload() async {
        reloads.request()
        await reloads.tick()
    }

    /// Looks at the files, as once a second.
    func tick() async { await reloads.tick() }

    /// Returns when everything logged so far was written.
    package func flushLogs() { logs.flush() }

    /// Begins the shutdown of ``run(signals:also:onRunning:)``, as SIGTERM does.
    package func shutDown() async { await shutdown.pull() }

    /// Runs until a graceful shutdown, drains, and closes everything.
    /// - Parameters:
    ///   - signals: Whether SIGTERM, SIGINT and SIGHUP mean this gateway; in tests they do not.
    ///   - others: Services that need the gateway; they are shut down before it.
    ///   - onRunning: Called with the port of the operators' listener, once it is there.
    /// - Throws: ``GatewayError`` where a part cannot start, or ended by itself.
    package func run(
        signals: Bool,
        also others: [any Service] = [],
        onRunning: @escaping @Sendable (_ adminPort: Int) async -> Void = { _ in }
    ) async throws {
        let result: Result<Void, any Error>
        do {
            try await serviceGroup(signals, others, onRunning).run()
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await close()
        do {
            try result.get()
        } catch {
            throw GatewayError(explaining: error)
        }
    }

    /// Shut down backwards: the client listener drains while what it needs still runs, the operators' can watch it, and signals are
    /// heard until the end.
    private func serviceGroup(
        _ signals: Bool,
        _ others: [any Service],
        _ onRunning: @escaping @Sendable (Int) async -> Void
    ) throws -> ServiceGroup {
        var services: [any Service] = signals ? [signalService()] : []
        if let tracing = parts.tracing { services.append(tracing.exporter) }
        services += [
            parts.directory,
            HealthService(
                health: parts.health,
                directory: parts.directory,
                dispatcher: parts.dispatcher,
                journal: parts.queue.journal
            ),
            TickService(every: .seconds(1)) { [parts] in
                let depth = await parts.dispatcher.depth
                parts.queue.meter.sample(depth: depth.count, oldestAge: depth.oldestAge)
            },
            try parts.adminServer(logger: logs.logger("admin")) { [self] adminPort in
                tellStarted(adminPort: adminPort)
                await onRunning(adminPort)
            },
            ReplayDrain(dispatcher: parts.dispatcher, timeout: parts.loaded.settings.drainTimeout),
            parts.ingress,
            // Behind the listener, so that it ends before the drain: background work must not begin in it.
            ReplayService(runner: parts.replays),
            reloads,
            TickService(every: .seconds(1)) { [reloadTicks] in reloadTicks.yield() },
        ]
        services += others
        // Its debug lines print the services with all that is in them.
        var logger = logs.logger("services")
        logger.logLevel = .info
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { ServiceGroupConfiguration.ServiceConfiguration(service: $0) },
                logger: logger
            )
        )
        shutdown.set { await group.triggerGracefulShutdown() }
        return group
    }

    /// Only when both listeners are there: who waits for this line can use either.
    private func tellStarted(adminPort: Int) {
        let settings = parts.loaded.settings
        logger.info(
            "gateway started",
            metadata: [
                "version": "\(ProgramVersion.current)",
                "address": "\(address.ipAddress ?? ""):\(address.port ?? 0)",
                "admin": "\(settings.adminHost):\(adminPort)",
                "database": "\(settings.databasePath)",
                "discovery": "\(settings.discoveryMode.rawValue)",
                "routes": "\(parts.routes.current.routes.count)",
            ]
        )
    }

    private func signalService() -> SignalService {
        SignalService(
            beginDrain: { [shutdown] in await shutdown.pull() },
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
        await parts.close()
        logger.info("gateway ended")
    }
}

extension GatewayServer {
    /// Opens the database, recovers it, reads the routes, and listens for clients.
    /// - Parameters:
    ///   - document: The OpenAPI document where `openapi_spec_path` names none.
    ///   - reload: Reads the configuration again; nil where it cannot change.
    /// - Throws: ``GatewayError`` that says which part cannot work and why. Nothing is left open then.
    package static func open(
        _ loaded: LoadedConfiguration,
        logs: LogOutput,
        descriptorLimit: Int,
        document: OpenAPIDocument? = nil,
        reload: (@Sendable () throws -> LoadedConfiguration)? = nil
    ) async throws -> GatewayServer {
        let parts: GatewayParts
        do {
            parts = try await GatewayParts.make(
                loaded,
                logs: logs,
                descriptorLimit: descriptorLimit,
                document: document
            )
        } catch {
            throw GatewayError(explaining: error)
        }
        do {
            let table = parts.routes.current
            await parts.dispatcher.routesChanged(table.routes) { [settings = parts.queue.settings] in settings.controls
            }
            parts.resumeReplays()
            parts.health.databaseOpened()
            try await parts.ingress.start()
            return GatewayServer(parts, logs: logs, read: reload ?? { loaded })
        } catch {
            await parts.close()
            throw GatewayError(explaining: error)
        }
    }
}

extension GatewayError {
    /// The error of a part as one that a person can act on.
    init(explaining error: any Error) {
        switch error {
        case let error as GatewayError: self = error
        case let error as QueueError: self.init(.storage, "database_path: \(error)")
        case let error as IngressError: self.init(.listen, "\(error)")
        case let error as AdminError: self.init(.listen, "\(error)")
        case let error as PodsError: self.init(.configuration, "\(error)")
        default: self.init(.ended, "the gateway ended", cause: error)
        }
    }
}
