import Core
import Foundation
import Logging
import NIOConcurrencyHelpers
import TaskPod
import Testing

@testable import Queue

/// On a real file system that is really full.
@Suite("A full disk", .enabled(if: SmallDisk.isAllowed, "\(SmallDisk.need)"), .timeLimit(.minutes(4)))
struct DiskFullTests {
    private static let sizes = [10, 3000, 60_000, 400_000]

    @Test("full at any moment: 503 with its reason, no pod sees what has no row, and well again by itself")
    func anyMoment() async throws {
        let disk = try SmallDisk(megabytes: 96)
        let answered = NIOLockedValueBox<[String]>([])
        let seen = NIOLockedValueBox<[String]>([])
        try await LocalGateway.run(folder: disk.folder) { local in
            // The disk is full before the first byte, in the middle of a row, of the log, of a body's file.
            for room in [0, 4, 24, 100, 500, 1500] {
                try disk.fill(leaving: room << 10)
                let isFull = NIOLockedValueBox(false)
                try await withThrowingTaskGroup(of: Void.self) { clients in
                    for size in Self.sizes {
                        clients.addTask {
                            while !isFull.withLockedValue({ $0 }) {
                                if let answer = try await local.send(bodyBytes: size) {
                                    answered.withLockedValue { $0.append(answer.id ?? "") }
                                } else {
                                    isFull.withLockedValue { $0 = true }
                                }
                            }
                        }
                    }
                    try await clients.waitForAll()
                }
                disk.free()
                for size in Self.sizes { try await local.sendUntilWell(bodyBytes: size) }
            }
            seen.withLockedValue { $0 = local.pod.requestIDs() }
        }
        let rows = try Rows(folder: disk.folder)
        rows.check(seen: seen.withLockedValue { $0 }, answered: answered.withLockedValue { $0 })
        let files = try FileManager.default.contentsOfDirectory(atPath: disk.path + "/queue.db.bodies")
        #expect(files.count { !rows.files.contains($0) } == 0, "a file of a request that was refused")
    }

    @Test("filled by the gateway's own rows: it goes on, the oldest rows go, and a start opens it when it is full")
    func ownRows() async throws {
        let disk = try SmallDisk(megabytes: 24)
        let refused = NIOLockedValueBox(0)
        try await LocalGateway.run(folder: disk.folder) { local in
            // Several times what the disk has.
            for number in 0..<700 {
                let size = number.isMultiple(of: 10) ? 300_000 : 60_000
                let count = try await local.sendUntilWell(bodyBytes: size)
                refused.withLockedValue { $0 += count }
            }
            #expect(refused.withLockedValue { $0 } == 0)
            // Others take all that is left: the rows make room.
            try disk.fill(leaving: 0)
            for _ in 0..<150 { try await local.sendUntilWell(bodyBytes: 60_000) }
            // Room for a start is held back.
            disk.free()
        }
        try disk.fill(leaving: 0)
        try await LocalGateway.run(folder: disk.folder) { local in
            for _ in 0..<100 { try await local.sendUntilWell(bodyBytes: 60_000) }
        }
        disk.free()
        let states = try Rows(folder: disk.folder).states.values
        #expect(states.count > 20 && states.allSatisfy { $0 == "completed" || $0 == "rejected" })
    }

    @Test("a gateway does not start on a disk that is full, or that cannot be written, and says so")
    func start() throws {
        let full = try SmallDisk(megabytes: 1)
        try full.fill(leaving: 0)
        let readOnly = try SmallDisk(megabytes: 1, isReadOnly: true)
        for disk in [full, readOnly] {
            #expect {
                let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
                _ = try RequestQueue.open(QueueConfiguration(databasePath: disk.path + "/queue.db"), logger: logger)
            } throws: { error in
                guard let error = error as? QueueError else { return false }
                return error.code == .unwritable && error.message.contains(disk.path)
            }
        }
    }
}
