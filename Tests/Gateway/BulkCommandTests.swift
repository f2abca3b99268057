import Admin
import ArgumentParser
import Foundation
import Testing

@testable import Gateway

@Suite("Commands for many requests at once")
struct BulkCommandTests {
    private func job(_ changes: [String: Any] = [:]) throws -> ReplayJobPayload {
        var job: [String: Any] = [
            "id": "7", "state": "running", "filter": ["state": ["failed"]], "rate": 500, "max": 10_000,
            "confirm": false,
            "headers": [], "created_at": "2026-11-24T22:00:00.000Z", "matching": 10_000, "complete": true,
            "queued": 3400,
            "waiting": 80, "dispatched": 20, "completed": 3290, "failed": 10, "interrupted": 0, "skipped": [],
        ]
        job.merge(changes) { $1 }
        return try JSON.decoder.decode(ReplayJobPayload.self, from: JSONSerialization.data(withJSONObject: job))
    }

    @Test("a bar shows how much has ended, and what became of it")
    func bar() throws {
        #expect(
            ReplayProgress.line(try job())
                == "[#######.................]  33 %  of 10000: 3290 completed, 10 failed, 80 waiting, 20 running"
        )
        let none = try job([
            "matching": 0, "completed": 0, "failed": 0, "waiting": 0, "dispatched": 0, "state": "finished",
        ])
        #expect(ReplayProgress.line(none).hasSuffix("  0 %  of 0: 0 completed"))
        let whole = try job([
            "completed": 9990, "failed": 4, "skipped": [["reason": "body_missing", "count": 6]], "waiting": 0,
            "dispatched": 0,
        ])
        #expect(ReplayProgress.line(whole).hasPrefix("[########################] 100 %"))
        #expect(ReplayProgress.summary(whole).contains("left out: 6 body_missing"))
    }

    @Test("a job is over when nothing more becomes of it by itself")
    func over() throws {
        #expect(!ReplayProgress.isOver(try job()))
        #expect(ReplayProgress.isOver(try job(["state": "paused"])))
        #expect(!ReplayProgress.isOver(try job(["state": "cancelled"])))
        #expect(ReplayProgress.isOver(try job(["state": "cancelled", "waiting": 0, "dispatched": 0])))
    }

    @Test("one request or many are meant, never both and never none")
    func one() throws {
        typealias Command = RequestsReplayCommand
        #expect(throws: Never.self) { try Command.parse(["0AMCGAA6W0000", "--yes"]) }
        #expect(throws: Never.self) { try Command.parse(["--state", "failed", "--dry-run", "--rate", "500"]) }
        for arguments in [
            [], ["--yes"], ["0AMCGAA6W0000", "--state", "failed"], ["0AMCGAA6W0000", "--dry-run"],
            ["--state", "failed", "--path", "/a"],
        ] {
            #expect(throws: (any Error).self) { try Command.parse(arguments) }
        }
    }

    @Test("a bulk change without a filter is refused")
    func filter() throws {
        let error = #expect(throws: GatewayError.self) { try FilterOptions.parse([]).payload() }
        #expect(error?.code == .usage)
        let filter = try FilterOptions.parse(["--state", "failed, expired", "--status", "5xx", "--replay-job", "7"])
            .payload()
        #expect(filter.state == ["failed", "expired"])
        #expect(filter.status == "5xx")
        #expect(filter.replayJob == "7")
        #expect(filter.since == nil)
    }

    @Test("nobody at a terminal: nothing is done without --yes")
    func asking() {
        let error = #expect(throws: GatewayError.self) { try Asking.whether("Remove all?", .plain) }
        #expect(error?.code == .usage)
        #expect(error?.message.contains("--yes") == true)
    }

    @Test("a file is there whole or not at all, for its owner alone, and takes no other's place unasked")
    func file() async throws {
        try await withFolder { folder in
            let path = "\(folder)/copy.db"
            func write(_ text: String, replacing: Bool) throws {
                let file = try NewFile(path)
                defer { file.discard() }
                #expect(Array(text.utf8).withUnsafeBytes { file.write($0) })
                #expect(file.count == text.utf8.count)
                try file.finish(replacing: replacing)
            }
            func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder) }
            let dropped = try NewFile(path)
            #expect(try names().count == 1)
            dropped.discard()
            #expect(try names().isEmpty)

            try write("one", replacing: false)
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            let error = #expect(throws: GatewayError.self) { try write("two", replacing: false) }
            #expect(error?.message.contains("--force") == true)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "one")
            try write("two", replacing: true)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "two")
            #expect(try names() == ["copy.db"])
            #expect(throws: GatewayError.self) { _ = try NewFile("\(folder)/none/copy.db") }
        }
    }
}
