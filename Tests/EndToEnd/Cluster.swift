import Core
import Dispatcher
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Queue
import TaskPod

@testable import Gateway

/// A gateway and task pods in this process, over loopback, with a database in a folder of its own.
struct Cluster: Sendable {
    let gateway: GatewayServer
    let pods: [TaskPodServer]
    let client: TestClient
    let group: MultiThreadedEventLoopGroup
    /// Backends that the next re-read finds.
    let backends: Backends
    private let adminPort = NIOLockedValueBox(0)

    /// Runs `body` with a cluster, and ends everything after it.
    /// - Parameters:
    ///   - pods: What each pod has.
    ///   - workers: How many tasks each pod runs at once; nil for as many as its resources suffice for.
    ///   - settings: Environment variables for the gateway.
    ///   - folder: Where the database is; nil for a folder that is removed afterwards.
    static func run(
        pods: [ResourceVector] = seedPods,
        settings: [String: String] = [:],
        routes: String = defaultRoutes,
        folder: URL? = nil,
        _ body: (Cluster) async throws -> Void
    ) async throws {
        let temporary = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-\(UUID().uuidString)")
        let place = folder ?? temporary
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: temporary) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var servers: [TaskPodServer] = []
        for (number, total) in pods.enumerated() {
            var configuration = TaskPodConfiguration()
            configuration.name = "pod-\(number)"
            configuration.total = total
            servers.append(
                try await TaskPodServer.start(
                    configuration,
                    group: group,
                    logger: Logger(label: "pod") { _ in SwiftLogNoOpLogHandler() }
                )
            )
        }
        let file = place.appending(path: "gateway.yaml").path
        try routes.write(toFile: file, atomically: true, encoding: .utf8)
        let backends = Backends(servers.map(\.url))
        let load: @Sendable () throws -> LoadedConfiguration = {
            var environment = [
                "GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": "0", "ADMIN_PORT": "0", "EVENT_LOOPS": "2",
                "LOG_LEVEL": "error", "DRAIN_TIMEOUT": "1",
                "CAPACITY_UPDATE_INTERVAL": "0.5", "DATABASE_PATH": place.appending(path: "queue.db").path,
                "STATIC_BACKENDS": backends.list,
            ]
            environment.merge(settings) { $1 }
            return try LoadedConfiguration.load(arguments: ["--config", file], environment: environment)
        }
        let loaded = try load()
        let gateway = try await GatewayServer.open(
            loaded,
            logs: LogOutput.standardError(loaded.settings),
            descriptorLimit: 4096,
            reload: load
        )
        let cluster = Cluster(
            gateway: gateway,
            pods: servers,
            client: TestClient(port: gateway.address.port ?? 0, group: group),
            group: group,
            backends: backends
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                try await gateway.run(signals: false) { port in cluster.adminPort.withLockedValue { $0 = port } }
            }
            let result: Result<Void, any Error>
            do {
                await cluster.isReady()
                try await body(cluster)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            await gateway.shutDown()
            try await tasks.waitForAll()
            try result.get()
        }
        for server in servers { await server.stop() }
        try await group.shutdownGracefully()
    }

    /// gpus 2/0/1 and cpus 8/8/4.
    static let seedPods = [
        ResourceVector(cpus: 8000, gpus: 2000, memory: 32_000),
        ResourceVector(cpus: 8000, gpus: 0, memory: 32_000),
        ResourceVector(cpus: 4000, gpus: 1000, memory: 16_000),
    ]

    static let defaultRoutes = """
        routes:
          - method: POST
            path: /gpu
            needs: {num_gpus: 1}
          - method: POST
            path: /two-gpus
            needs: {num_gpus: 2}
          - method: POST
            path: /cpu
        """

    /// A client of the operators' listener.
    var admin: TestClient { TestClient(port: adminPort.withLockedValue { $0 }, group: group) }

    /// Waits until operators are listened to and every pod was polled once.
    private func isReady() async {
        while adminPort.withLockedValue({ $0 }) == 0 { await Task.yield() }
        await gateway.dispatcher.settled { [count = pods.count] dispatcher in
            let pods = dispatcher.podSnapshots()
            return pods.count == count && pods.allSatisfy { $0.available != nil }
        }
    }

    /// Waits until that many requests are held.
    func waiting(_ count: Int) async {
        await gateway.dispatcher.settled { $0.load.waiting == count }
    }

    /// Waits until that many requests are with pods.
    func leased(_ count: Int) async {
        await gateway.dispatcher.settled { $0.load.leased == count }
    }

    /// The rows, once all of them have ended. Each round waits for a commit.
    func rows(_ count: Int) async throws -> [LogSummary] {
        while true {
            try await gateway.queue.flush()
            let page = try await gateway.queue.log.page(LogFilter(), limit: 500)
            if page.entries.count >= count, page.entries.allSatisfy(\.state.isTerminal) { return page.entries }
        }
    }
}

/// The list of pods that is configured, which tests change.
final class Backends: @unchecked Sendable {
    // `@unchecked`: the lock guards the only state.
    private let lock = NSLock()
    private var urls: [String]

    init(_ urls: [String]) { self.urls = urls }

    var list: String { lock.withLock { urls.joined(separator: ",") } }
    func add(_ url: String) { lock.withLock { urls.append(url) } }
}
