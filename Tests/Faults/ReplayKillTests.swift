import Core
import Foundation
import GRDB
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import TaskPod
import Testing

/// What pods and database say after the process was killed in the middle of a bulk replay.
@Suite("kill -9 in the middle of a bulk replay", .timeLimit(.minutes(3)))
struct ReplayKillTests {
    private static let count = 400
    /// Tasks that the pod runs at once, and so requests that a kill can interrupt.
    private static let atOnce = 6

    @Test("the replay goes on by itself: none ran twice, those in flight are interrupted, all others ran once")
    func kills() async throws {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-replay-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        var configuration = TaskPodConfiguration()
        configuration.total = ResourceVector(cpus: Int64(Self.atOnce) * 1000, gpus: 0, memory: 32_000)
        let pod = try await TaskPodServer.start(configuration, group: group)

        // Without a pod that answers, each is refused at its hold timeout.
        try await GatewayProcess.run(
            folder: folder,
            backends: ["http://127.0.0.1:1"],
            flags: ["--hold-timeout=0.02"]
        ) { ports, kill in
            try await Self.expire(ports.clients, group)
            let admin = LoadClient(port: ports.admin, group: group)
            try await Self.call(admin, "/requests?state=expired&limit=500") {
                ($0["requests"] as? [Any])?.count == Self.count
            }
            kill()
        }
        let job = NIOLockedValueBox("")
        for round in 1...3 {
            try await GatewayProcess.run(folder: folder, backends: [pod.url]) { ports, kill in
                let admin = LoadClient(port: ports.admin, group: group)
                if round == 1 {
                    let order = #"{"filter":{"state":["expired"]},"rate":2000}"#
                    let made = try await Self.call(admin, .POST, "/replays", order)
                    job.withLockedValue { $0 = made["id"] as? String ?? "" }
                }
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for _ in 0..<3 {
                        tasks.addTask {
                            let client = LoadClient(port: ports.clients, group: group)
                            while (try? await client.request("/live?ms=2")) != nil {}
                        }
                    }
                    try await Self.call(admin, "/replays/\(job.withLockedValue { $0 })") { job in
                        round < 3 ? job["completed"] as? Int ?? 0 >= round * 120 : job["state"] as? String == "finished"
                    }
                    kill()
                    try await tasks.waitForAll()
                }
            }
        }

        let ran = pod.requestIDs()
        #expect(Set(ran).count == ran.count, "a request ran twice")
        let database = try DatabaseQueue(path: folder.appending(path: "queue.db").path)
        try await database.read { database in
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT r.id, r.replay_of, l.state FROM requests r JOIN request_log l ON l.id = r.id
                    WHERE r.replay_job IS NOT NULL AND l.state <> 'abandoned'
                    """
            )
            let sources = try Int64.fetchAll(database, sql: "SELECT request FROM outcomes WHERE state = 4")
            #expect(sources.count == Self.count)
            #expect(rows.map { $0["replay_of"] as Int64 }.sorted() == sources.sorted(), "each source once")
            let ids = Set(ran)
            var interrupted = 0
            for row in rows {
                let id = RequestID(rawValue: row["id"]).description
                let state: String = row["state"]
                if state == "interrupted" {
                    interrupted += 1
                } else {
                    #expect(state == "completed" && ids.contains(id))
                }
            }
            // Two kills: what pods had, and what had ended in the last milliseconds, whose outcomes go with the next commit.
            #expect(interrupted <= 2 * (Self.atOnce + 64))
        }
        await pod.stop()
        try await group.shutdownGracefully()
    }

    private static func expire(_ port: Int, _ group: any EventLoopGroup) async throws {
        try await withThrowingTaskGroup(of: Void.self) { clients in
            for _ in 0..<20 {
                clients.addTask {
                    let client = LoadClient(port: port, group: group)
                    for _ in 0..<count / 20 {
                        let answer = try await client.send(.POST, "/task?ms=3", body: "{}")
                        #expect(answer?.status == 503)
                    }
                }
            }
            try await clients.waitForAll()
        }
    }

    @discardableResult
    private static func call(
        _ admin: LoadClient,
        _ method: HTTPMethod,
        _ path: String,
        _ body: String = ""
    ) async throws -> [String: Any] {
        guard let answer = try await admin.send(method, "/admin/api\(path)", body: body) else { throw ChannelError.eof }
        return try JSONSerialization.jsonObject(with: Data(answer.body.readableBytesView)) as? [String: Any] ?? [:]
    }

    /// Asks until the answer is as it is to be.
    private static func call(_ admin: LoadClient, _ path: String, until isRight: ([String: Any]) -> Bool) async throws {
        while true {
            if isRight(try await call(admin, .GET, path)) { return }
        }
    }
}
