import CFaultyDisk
import Foundation
import NIOConcurrencyHelpers
import TaskPod
import Testing

/// On a file system for SQLite that keeps apart what was synced.
@Suite("A loss of power", .timeLimit(.minutes(2)))
struct PowerLossTests {
    /// Runs `body` with a gateway on such a file system.
    /// - Parameter body: Gets what tells the rows as they would be after a loss of power now.
    private func run(
        synchronous: String,
        _ body: (LocalGateway, _ rowsAfterLoss: @escaping @Sendable () throws -> Rows) async throws -> Void
    ) async throws {
        try await withFolder { folder in
            faulty_disk_set(folder.path, faulty_disk_plan(writes: 0, syncs: 0, sync_delay: 0, keeps_synced: 1))
            defer { faulty_disk_set(folder.path, faulty_disk_plan()) }
            try await LocalGateway.run(folder: folder, settings: ["QUEUE_SYNCHRONOUS": synchronous]) { local in
                try await body(local) {
                    let after = folder.appending(path: "after-\(UUID())")
                    try FileManager.default.createDirectory(at: after, withIntermediateDirectories: true)
                    #expect(faulty_disk_lose_power(folder.path + "/queue.db", after.path) > 0)
                    return try Rows(folder: after)
                }
            }
        }
    }

    @Test("with QUEUE_SYNCHRONOUS=full what a pod saw has its row, whenever the power goes")
    func full() async throws {
        try await run(synchronous: "full") { local, rowsAfterLoss in
            let (answered, answer) = AsyncStream.makeStream(of: Void.self)
            let isOver = NIOLockedValueBox(false)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for size in [0, 100, 9000, 60_000] {
                    tasks.addTask {
                        while !isOver.withLockedValue({ $0 }) {
                            guard try await local.send(bodyBytes: size) != nil else { continue }
                            answer.yield()
                        }
                    }
                }
                var answers = answered.makeAsyncIterator()
                for _ in 1...12 {
                    for _ in 1...40 { await answers.next() }
                    // Taken before: whatever was seen by now was committed by now.
                    let seen = local.pod.requestIDs()
                    let rows = try rowsAfterLoss()
                    let lost = seen.count { !rows.dispatched.contains($0) }
                    #expect(lost == 0, "a pod saw what has no row after the loss")
                }
                isOver.withLockedValue { $0 = true }
                try await tasks.waitForAll()
            }
        }
    }

    @Test("with normal the database is whole after it, if behind: what was committed last is gone")
    func normal() async throws {
        try await run(synchronous: "normal") { local, rowsAfterLoss in
            // More than what a checkpoint begins at, which syncs.
            for _ in 0..<300 { #expect(try await local.send(bodyBytes: 40_000) != nil) }
            let rows = try rowsAfterLoss()
            #expect(rows.states.count < local.pod.requestIDs().count, "it was not synced at each commit")
        }
    }
}
