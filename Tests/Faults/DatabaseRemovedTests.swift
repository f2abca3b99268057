import Foundation
import Gateway
import Glibc
import NIOCore
import NIOHTTP1
import Queue
import TaskPod
import Testing

@Suite("The database's file is taken away while the gateway runs", .timeLimit(.minutes(2)))
struct DatabaseRemovedTests {
    @Test("503 storage_unavailable, /ready says why, and well again without a restart", arguments: [1, 3])
    func removed(files: Int) async throws {
        try await withFolder { folder in
            try await LocalGateway.run(folder: folder) { local in
                #expect(try await local.send(bodyBytes: 100) != nil)
                let database = folder.appending(path: "queue.db").path
                for suffix in ["", "-wal", "-shm"].prefix(files) { unlink(database + suffix) }
                // One may be answered yet: the files are looked at every 100 ms.
                while try await local.send(bodyBytes: 100) != nil {}
                let seen = local.pod.requestIDs().count
                var ready = try #require(try await local.client.send(.GET, "/ready"))
                while ready.status == 200, local.gateway.queue.journal.unavailable != nil {
                    ready = try #require(try await local.client.send(.GET, "/ready"))
                }
                // It looks once a second, and may have looked when all was well again.
                if ready.status == 503 { #expect(String(buffer: ready.body).contains("was removed")) }
                #expect(local.pod.requestIDs().count == seen)
                try await local.sendUntilWell(bodyBytes: 300_000)
            }
            let states = try Rows(folder: folder).states.values
            #expect(states.contains("completed"))
            // Those that were refused at the door have their rows too.
            #expect(states.allSatisfy { $0 == "completed" || $0 == "rejected" })
        }
    }

    @Test("every file that holds what clients sent is for its owner alone")
    func modes() async throws {
        try await withFolder { folder in
            try await LocalGateway.run(folder: folder) { local in
                #expect(try await local.send(bodyBytes: 300_000) != nil)
                let files = try #require(FileManager.default.enumerator(atPath: folder.path)).compactMap {
                    $0 as? String
                }
                #expect(files.count >= 6)
                for file in files {
                    var status = stat()
                    #expect(stat(folder.appending(path: file).path, &status) == 0)
                    #expect(status.st_mode & 0o077 == 0, "\(file)")
                }
            }
        }
    }
}
