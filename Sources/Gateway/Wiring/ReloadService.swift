import Admin
import Core
import Discovery
import Dispatcher
import Ingress
import Logging
import NIOConcurrencyHelpers
import Pods
import Queue
import ServiceLifecycle

/// Reads the configuration again when it is told to, or when one of its files changed, and carries out what may change while the
/// gateway runs. What cannot be read is refused, and what was read last stays.
actor ReloadService: Service {
    private let parts: GatewayParts
    private let read: @Sendable () throws -> LoadedConfiguration
    private let ticks: AsyncStream<Void>
    private let logs: LogOutput
    private let logger: Logger
    /// What the parts were made from: what a key that needs a restart still is.
    private let started: LoadedConfiguration
    private var current: LoadedConfiguration
    /// Told already.
    private var waitingForRestart: [String] = []
    /// Of the files that were looked at last, also where what they said was refused: when one is mended, it is read again.
    private var stamps: [String: FileStamp] = [:]
    private let requested = NIOLockedValueBox(false)

    /// - Parameters:
    ///   - parts: What a reload acts on, and what it was made from.
    ///   - ticks: When the files are looked at: once a second, and after ``request()``.
    ///   - read: Reads flags, environment and file again.
    init(
        _ parts: GatewayParts,
        ticks: AsyncStream<Void>,
        read: @escaping @Sendable () throws -> LoadedConfiguration,
        logs: LogOutput
    ) {
        self.parts = parts
        self.ticks = ticks
        self.read = read
        self.logs = logs
        logger = logs.logger("reload")
        started = parts.loaded
        current = parts.loaded
        stamps = Self.stamps(of: Self.files(of: parts.loaded))
    }

    func run() async throws {
        for await _ in ticks.cancelOnGracefulShutdown() { await tick() }
    }

    /// Has the next tick read everything, whether or not a file changed.
    nonisolated func request() {
        requested.withLockedValue { $0 = true }
    }

    /// Reads the configuration again where that was asked for or a file changed.
    func tick() async {
        let now = Self.stamps(of: stamps.keys)
        let wasRequested = requested.withLockedValue { requested in
            defer { requested = false }
            return requested
        }
        guard wasRequested || now != stamps else { return }
        stamps = now
        await reload()
    }

    private func reload() async {
        do {
            let new = try read()
            // Taken before what the files say is read, so that a change meanwhile is seen as one; `tick()` has those that were known.
            stamps = Self.stamps(of: Self.files(of: new)).merging(stamps) { $1 }
                .filter { Self.files(of: new).contains($0.key) }
            if let problem = ReloadPlan.problem(of: new, since: started) { throw GatewayError([problem]) }
            let plan = ReloadPlan(from: current, to: new)
            let identity = try parts.adminTLS?.read()
            let credentials = try parts.transport.tls.reread()
            let routes = try RouteSource(new, book: parts.routes, embedded: parts.embedded).read()
            await apply(plan, routes)
            if let identity { parts.adminTLS?.use(identity) }
            if let credentials { parts.transport.tls.use(credentials) }
            tellWhatWaits(ReloadPlan(from: started, to: new).needsRestart)
            current = new
        } catch {
            logger.error("configuration was not re-read; the last good one stays", metadata: ["error": "\(error)"])
        }
    }

    private func apply(_ plan: ReloadPlan, _ routes: RouteSource.Routes) async {
        if let level = plan.logLevel { logs.level = level }
        await parts.dispatcher.routesChanged(routes.table.routes) { [settings = parts.queue.settings] in
            settings.controls
        }
        if let backends = plan.backends { parts.pods.list?.update(backends) }
        if let tokens = plan.tokens { parts.gate.replace(tokens) }
        for warning in routes.warnings { logger.warning("OpenAPI document", metadata: ["warning": "\(warning)"]) }
        var facts: Logger.Metadata = ["routes": "\(routes.table.routes.count)"]
        if let backends = plan.backends { facts["pods"] = "\(backends.count)" }
        if let level = plan.logLevel { facts["log_level"] = "\(level)" }
        if let tokens = plan.tokens {
            facts["tokens"] = "admin=\(tokens.full.count) read=\(tokens.read.count) metrics=\(tokens.metrics.count)"
        }
        logger.info("configuration re-read", metadata: facts)
    }

    /// Once for each change, and again when all are back at what they were.
    private func tellWhatWaits(_ keys: [String]) {
        guard keys != waitingForRestart else { return }
        waitingForRestart = keys
        if keys.isEmpty {
            logger.info("no changed setting needs a restart any more")
        } else {
            logger.warning("changed settings that need a restart", metadata: ["keys": "\(keys.joined(separator: ","))"])
        }
    }

    private static func stamps(of paths: some Sequence<String>) -> [String: FileStamp] {
        Dictionary(paths.map { ($0, FileStamp(of: $0)) }, uniquingKeysWith: { first, _ in first })
    }

    /// The files that a configuration is read from.
    private static func files(of loaded: LoadedConfiguration) -> [String] {
        let settings = loaded.settings
        return [
            loaded.filePath, settings.openapiSpecPath, settings.adminTokenFile, settings.adminReadTokenFile,
            settings.metricsTokenFile, settings.adminTLSCertFile, settings.adminTLSKeyFile,
            settings.upstreamClientCertFile, settings.upstreamClientKeyFile,
        ].compactMap(\.self)
    }
}
