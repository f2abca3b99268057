import CFaultyDisk
import Core
import Foundation
import GRDB
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import TaskPod
import Testing

@testable import Gateway

/// A gateway and one pod in this process, over loopback, on a disk that can be made to fail.
struct LocalGateway: Sendable {
    let gateway: GatewayServer
    let pod: TaskPodServer
    let client: LoadClient
    let folder: URL

    /// Runs `body` with a gateway whose database is in a folder, and ends it. The gateway's end must be clean.
    static func run(
        folder: URL,
        settings: [String: String] = [:],
        pod configure: (inout TaskPodConfiguration) -> Void = { _ in },
        _ body: (LocalGateway) async throws -> Void
    ) async throws {
        faulty_disk_install()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var configuration = TaskPodConfiguration()
        configuration.total = ResourceVector(cpus: 64_000, gpus: 0, memory: 256_000)
        configure(&configuration)
        let pod = try await TaskPodServer.start(
            configuration,
            group: group,
            logger: Logger(label: "pod") { _ in SwiftLogNoOpLogHandler() }
        )
        let load: @Sendable () throws -> LoadedConfiguration = { [url = pod.url] in
            var environment = [
                "GATEWAY_HOST": "127.0.0.1", "GATEWAY_PORT": "0", "ADMIN_PORT": "0", "EVENT_LOOPS": "2",
                "LOG_LEVEL": "critical", "DRAIN_TIMEOUT": "5", "CAPACITY_UPDATE_INTERVAL": "0.2",
                "DATABASE_PATH": folder.appending(path: "queue.db").path, "STATIC_BACKENDS": url,
            ]
            environment.merge(settings) { $1 }
            return try LoadedConfiguration.load(arguments: [], environment: environment)
        }
        let loaded = try load()
        let logs = LogOutput.standardError(loaded.settings)
        let gateway = try await GatewayServer.open(loaded, logs: logs, descriptorLimit: 4096, reload: load)
        let local = LocalGateway(
            gateway: gateway,
            pod: pod,
            client: LoadClient(port: gateway.address.port ?? 0, group: group),
            folder: folder
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await gateway.run(signals: false) }
            let result: Result<Void, any Error>
            do {
                try await body(local)
                result = .success(())
            } catch {
                result = .failure(error)
            }
            await gateway.shutDown()
            try await tasks.waitForAll()
            try result.get()
        }
        await pod.stop()
        try await group.shutdownGracefully()
    }

    /// What becomes of the database's files from now on.
    func setDisk(writes: Int32 = 0, syncs: Int32 = 0, syncDelay: Int32 = 0) {
        let plan = faulty_disk_plan(writes: writes, syncs: syncs, sync_delay: syncDelay, keeps_synced: 0)
        faulty_disk_set(folder.path, plan)
    }

    /// Sends a request whose answer has to be the pod's, or the refusal for want of a disk that works.
    /// - Returns: The answer where it is the pod's; nil for the refusal.
    func send(bodyBytes: Int) async throws -> LoadClient.Answer? {
        let body = String(repeating: "b", count: bodyBytes)
        let answer = try #require(try await client.send(.POST, "/task?ms=0", body: body))
        if answer.status == 200 { return answer }
        #expect(answer.status == 503)
        #expect(answer.headers.first(name: "Neutrino-Reason") == "storage_unavailable")
        #expect(answer.headers.first(name: "Retry-After") != nil)
        return nil
    }

    /// Sends requests until one is answered by the pod.
    /// - Returns: How many were refused before.
    @discardableResult
    func sendUntilWell(bodyBytes: Int) async throws -> Int {
        var refused = 0
        while try await send(bodyBytes: bodyBytes) == nil {
            refused += 1
            try await Task.sleep(for: .milliseconds(2))
        }
        return refused
    }
}

/// What the database of a gateway that has ended says.
struct Rows {
    /// By the id as clients see it.
    var states: [String: String] = [:]
    var dispatched: Set<String> = []
    /// State and reason by target.
    var ends: [String: String] = [:]
    var files: Set<String> = []

    init(folder: URL) throws {
        let database = try DatabaseQueue(path: folder.appending(path: "queue.db").path)
        defer { try? database.close() }
        try database.read { database in
            #expect(try String.fetchOne(database, sql: "PRAGMA integrity_check") == "ok")
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT l.request_id, l.state, l.reason, l.target,
                        r.pod IS NOT NULL OR EXISTS (SELECT 1 FROM attempts a WHERE a.request = r.id) AS dispatched
                    FROM request_log l JOIN requests r ON r.id = l.id
                    """
            )
            for row in rows {
                states[row["request_id"]] = row["state"]
                ends[row["target"]] = "\(row["state"] as String) \(row["reason"] as String? ?? "")"
                if row["dispatched"] { dispatched.insert(row["request_id"]) }
            }
            files = Set(try String.fetchAll(database, sql: "SELECT file FROM bodies WHERE file IS NOT NULL"))
        }
    }

    /// Nothing was dispatched without its row, no answer is without one, and none is left open.
    func check(seen: [String], answered: [String]) {
        #expect(seen.count { !dispatched.contains($0) } == 0, "a pod saw what has no dispatch in its row")
        #expect(answered.count { states[$0] == nil } == 0, "an answer without its row")
        #expect(states.values.count { $0 == "queued" || $0 == "dispatched" } == 0, "a row that is left open")
        #expect(seen.count { states[$0] == "abandoned" } == 0, "a pod saw it, and it is abandoned")
    }
}
