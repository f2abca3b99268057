import CSQLite
import Foundation
import Gateway
import Queue
import TaskPod
import Testing

/// On a file system for SQLite whose disk fails.
@Suite("A disk that fails", .timeLimit(.minutes(2)))
struct DiskFaultTests {
    @Test(
        "I/O errors, a disk that became read-only, syncs that fail: 503 with its reason, nothing reaches a pod, and well again by itself",
        arguments: [
            (writes: SQLITE_IOERR | (3 << 8), syncs: 0), (writes: SQLITE_READONLY, syncs: 0),
            (writes: SQLITE_FULL, syncs: 0), (writes: 0, syncs: SQLITE_IOERR | (4 << 8)),
        ] as [(writes: Int32, syncs: Int32)]
    )
    func errors(writes: Int32, syncs: Int32) async throws {
        try await withFolder { folder in
            var seen: [String] = []
            // Only then does a commit sync.
            try await LocalGateway.run(folder: folder, settings: ["QUEUE_SYNCHRONOUS": "full"]) { local in
                #expect(try await local.send(bodyBytes: 100) != nil)
                for _ in 0..<3 {
                    local.setDisk(writes: writes, syncs: syncs)
                    let before = local.pod.requestIDs().count
                    for size in [0, 100, 20_000, 0, 0] { #expect(try await local.send(bodyBytes: size) == nil) }
                    #expect(local.pod.requestIDs().count == before)
                    local.setDisk()
                    try await local.sendUntilWell(bodyBytes: 100)
                }
                seen = local.pod.requestIDs()
            }
            try Rows(folder: folder).check(seen: seen, answered: seen)
        }
    }

    @Test("commits of 100 ms: requests that come together share them, and all are answered")
    func slow() async throws {
        try await withFolder { folder in
            var seen: [String] = []
            try await LocalGateway.run(folder: folder, settings: ["QUEUE_SYNCHRONOUS": "full"]) { local in
                #expect(try await local.send(bodyBytes: 1) != nil)
                local.setDisk(syncDelay: 100_000)
                let before = local.gateway.queue.statistics.commits
                try await withThrowingTaskGroup(of: Bool.self) { clients in
                    for _ in 0..<64 {
                        clients.addTask { try await local.send(bodyBytes: 100) != nil }
                    }
                    for try await isAnswered in clients { #expect(isAnswered) }
                }
                // Each by itself would be 64 for the rows alone.
                #expect(local.gateway.queue.statistics.commits - before < 32)
                local.setDisk()
                seen = local.pod.requestIDs()
            }
            #expect(seen.count == 65)
            try Rows(folder: folder).check(seen: seen, answered: seen)
        }
    }
}

/// Runs `body` with a folder that is removed afterwards.
func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = URL(filePath: NSTemporaryDirectory()).appending(path: "neutrino-fault-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder)
}
