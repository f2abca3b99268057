import Core
import Foundation
import GRDB
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TaskPod
import Testing

/// What the database says after the process was killed, again and again, under load.
@Suite("kill -9 under load", .timeLimit(.minutes(3)))
struct KillTests {
    @Test("every answer that a client got has its row, no request that a pod saw is abandoned, and none is left open")
    func kills() async throws {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-kill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var configuration = TaskPodConfiguration()
        configuration.total = ResourceVector(cpus: 6000, gpus: 0, memory: 32_000)
        let pod = try await TaskPodServer.start(configuration, group: group)
        let answered = NIOLockedValueBox<Set<String>>([])

        for round in 1...3 {
            try await GatewayProcess.run(folder: folder, backends: [pod.url]) { ports, kill in
                await withTaskGroup(of: Void.self) { clients in
                    // More at once than the pod takes, so that some wait when the end comes.
                    for _ in 0..<12 {
                        clients.addTask {
                            let client = LoadClient(port: ports.clients, group: group)
                            // Until the connection breaks, since the gateway is gone.
                            while let id = try? await client.request("/task?ms=3") {
                                let count = answered.withLockedValue { answered in
                                    answered.insert(id)
                                    return answered.count
                                }
                                if count >= round * 150 { kill() }
                            }
                        }
                    }
                }
            }
        }
        // The last start ends what the kill left open.
        try await GatewayProcess.run(folder: folder, backends: [pod.url]) { _, kill in kill() }

        let database = try DatabaseQueue(path: folder.appending(path: "queue.db").path)
        try await database.read { database in
            #expect(try String.fetchOne(database, sql: "PRAGMA integrity_check") == "ok")
            let rows = try Row.fetchAll(database, sql: "SELECT id, state FROM request_log")
            var states: [String: String] = [:]
            for row in rows { states[RequestID(rawValue: row["id"]).description] = row["state"] }
            let answered = answered.withLockedValue { $0 }
            #expect(answered.count >= 450)
            #expect(answered.allSatisfy { states[$0] != nil }, "an answer without its row")
            let seen = Set(pod.requestIDs())
            #expect(
                seen.allSatisfy { states[$0] != nil && states[$0] != "abandoned" },
                "a pod saw it, and it is abandoned"
            )
            #expect(!states.values.contains("queued") && !states.values.contains("dispatched"))
        }
        await pod.stop()
        try await group.shutdownGracefully()
    }
}
