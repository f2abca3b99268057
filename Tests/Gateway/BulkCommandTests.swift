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
            "waiting": 80, "dispatched": 20, "completed": 3290, "server_errors": 0, "failed": 10, "interrupted": 0,
            "skipped": [],
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
            "matching": 0, "queued": 0, "completed": 0, "server_errors": 0, "failed": 0, "waiting": 0,
            "dispatched": 0, "state": "finished",
        ])
        #expect(ReplayProgress.line(none).hasSuffix("  0 %  of 0: 0 completed"))
        let whole = try job([
            "completed": 9990, "server_errors": 0, "failed": 4, "skipped": [["reason": "body_missing", "count": 6]],
            "waiting": 0,
            "dispatched": 0,
        ])
        #expect(ReplayProgress.line(whole).hasPrefix("[########################] 100 %"))
        #expect(ReplayProgress.summary(whole).contains("left out: 6 body_missing"))
    }

    @Test(
        "a job has done what it was to when all that it was to send completed, and what it printed is JSON where that is asked for"
    )
    func completed() throws {
        let whole: [String: Any] = [
            "state": "finished", "failed": 0, "waiting": 0, "dispatched": 0, "completed": 10_000,
        ]
        func holds(_ changes: [String: Any]) throws -> Bool {
            ReplayProgress.hasCompletedAll(try job(whole.merging(changes) { $1 }))
        }
        #expect(try holds([:]))
        #expect(try holds(["skipped": [["reason": "already_replayed", "count": 3]]]))
        for changes in [
            ["failed": 1], ["interrupted": 1], ["state": "cancelled"], ["state": "paused"],
            ["skipped": [["reason": "credentials_missing", "count": 3]]],
        ] as [[String: Any]] {
            #expect(try !holds(changes), "\(changes)")
        }
        let text = try ReplayProgress.shown(try job(whole), json: true)
        #expect(try JSON.decoder.decode(ReplayJobPayload.self, from: Data(text.utf8)) == (try job(whole)))
        #expect(try ReplayProgress.shown(try job(whole), json: false) == ReplayProgress.summary(try job(whole)))
    }

    @Test("what is left out takes nothing from the most that is sent")
    func leftOut() throws {
        let job = try job([
            "matching": 3000, "max": 20, "queued": 0, "completed": 0, "failed": 0, "waiting": 0, "dispatched": 0,
            "skipped": [["reason": "body_missing", "count": 3000]],
        ])
        #expect(ReplayProgress.line(job).hasSuffix("100 %  of 3000: 0 completed, 3000 left out"))
    }

    @Test("where not all of the log was looked at the question says so")
    func questions() throws {
        func purge(_ complete: Bool) throws -> PurgePayload {
            try JSON.decoder.decode(
                PurgePayload.self,
                from: Data(#"{"matching":0,"complete":\#(complete)}"#.utf8)
            )
        }
        func preview(_ complete: Bool) throws -> ReplayPreviewPayload {
            let json = #"{"matching":0,"replayable":0,"refused":[],"first":[],"complete":\#(complete)}"#
            return try JSON.decoder.decode(ReplayPreviewPayload.self, from: Data(json.utf8))
        }
        #expect(PurgeCommand.question(try purge(true)) == "Remove 0 requests for good?")
        #expect(
            PurgeCommand.question(try purge(false)).hasPrefix("Remove all that match for good, 0 requests at least?")
        )
        #expect(PurgeCommand.text(try purge(false)).contains("not all of the log was looked at"))
        #expect(BulkReplay.question(try preview(true)) == "Send 0 requests again?")
        #expect(BulkReplay.question(try preview(false)).hasPrefix("Send all that match again, 0 requests at least?"))
    }

    @Test("a line whose first is never refused for waiting has no time for it")
    func patient() throws {
        let json = """
            {"bytes":0,"depth":1,"dispatched":0,"draining":false,"lacking":[],"lines":[{"depth":1,"explanation":"x",
            "needs":{"cpus":1,"gpus":0,"memory_gb":8},"priority":"replay","route":"r","why":"gpus","oldest_age":96}],
            "oldest_age":0,"paused":false,"recorded":0,"replays":{"depth":1,"oldest_age":96},"routes":[],
            "waits":{"window":900,"count":0,"p50":null,"p90":null,"p99":null,"max":null}}
            """
        let queue = try JSON.decoder.decode(QueuePayload.self, from: Data(json.utf8))
        let row = QueueCommand.text([(nil, queue)], .plain).split(separator: "\n").last ?? ""
        #expect(row.contains("1m 36s           –  r"))
    }

    @Test("a job whose requests pods answered with 5xx has not completed all, and says so")
    func serverErrors() throws {
        let changes: [String: Any] = [
            "state": "finished", "failed": 0, "waiting": 0, "dispatched": 0, "completed": 4, "server_errors": 0,
        ]
        #expect(ReplayProgress.hasCompletedAll(try job(changes)))
        let bad = try job(changes.merging(["server_errors": 3]) { $1 })
        #expect(!ReplayProgress.hasCompletedAll(bad))
        #expect(ReplayProgress.line(bad).contains("4 completed, 3 of them with 5xx"))
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
        #expect(throws: Never.self) { try Command.parse(["0AMCGAA6W0000", "--yes", "--safe-only"]) }
        #expect(throws: Never.self) { try Command.parse(["--state", "failed", "--dry-run", "--rate", "500"]) }
        for arguments in [
            [], ["--yes"], ["0AMCGAA6W0000", "--state", "failed"], ["0AMCGAA6W0000", "--dry-run"],
            ["--state", "failed", "--path", "/a"], [""],
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

    @Test("a time without an end after its begin is refused, since nothing can match")
    func span() throws {
        let error = #expect(throws: GatewayError.self) {
            try FilterOptions.parse(["--since", "5m", "--until", "15m"]).payload()
        }
        #expect(error?.code == .usage && error?.message.contains("is not before --until") == true)
        #expect(throws: GatewayError.self) {
            try FilterOptions.parse(["--since", "2026-11-24T12:00:00Z", "--until", "2026-11-24T12:00:00.000Z"]).query()
        }
        let filter = try FilterOptions.parse(["--since", "15m", "--until", "5m"]).payload()
        #expect(filter.since != nil && filter.until != nil)
    }

    @Test("a backup is a file, and ids are not empty")
    func arguments() {
        #expect(throws: (any Error).self) { try BackupCommand.parse(["-"]) }
        #expect(throws: (any Error).self) { try RequestsShowCommand.parse([""]) }
        #expect(throws: (any Error).self) { try RequestsCancelCommand.parse([""]) }
        #expect(throws: Never.self) { try BackupCommand.parse(["copy.db"]) }
    }

    @Test("figures that are shown again and again say of when they are")
    func moments() {
        #expect(Showing<QueuePayload>.head(at: Date(timeIntervalSince1970: 0)) == "1970-01-01 00:00:00 UTC\n")
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
