import Core
import Foundation
import NIOCore
import Testing

@testable import Queue

@Suite("After a crash each request is told for what is known of it")
struct RecoveryTests {
    @Test("what waited is abandoned, what a pod had is interrupted, what had ended stays; ids go on above")
    func crash() async throws {
        let test = try TestQueue()
        let ended = try await test.insert("/ended", pod: .at(1))
        try await test.end(ended)
        try await test.insert("/waiting")
        try await test.insert("/sent", pod: .at(1))
        let later = test.request("/sent-later")
        try await test.insert(later)
        try await test.attempt(later, number: 1, pod: .at(2))
        let copy = try test.folder.snapshot()
        await test.close()

        let again = try TestQueue(in: copy)
        #expect(
            try again.rows("SELECT target, state, reason, pod, attempts FROM request_log ORDER BY id") == [
                ["/ended", "completed", "ok", "http://10.0.0.7:1", "1"],
                ["/waiting", "abandoned", "gateway_ended", nil, "0"],
                ["/sent", "interrupted", "gateway_ended", "http://10.0.0.7:1", "1"],
                ["/sent-later", "interrupted", "gateway_ended", "http://10.0.0.7:2", "1"],
            ]
        )
        #expect(again.queue.takeRecovered().isEmpty)
        #expect(try await again.insert("/new") > later.id)
        #expect(try again.rows("PRAGMA integrity_check") == [["ok"]])
        await again.close()
    }

    @Test("copies taken while many write are whole: every reported commit is in them")
    func copiesUnderLoad() async throws {
        let test = try TestQueue()
        var reported: [Int64] = []
        for round in 0..<5 {
            for number in 0..<40 { reported.append(try await test.insert("/\(round)/\(number)", pod: .at(1)).rawValue) }
            // Between two commits, since a copy of files that change is no crash.
            let copy = try await test.whileWriterIsBusy { try test.folder.snapshot() }
            let again = try TestQueue(in: copy)
            #expect(
                try again.rows("SELECT id FROM requests ORDER BY id").compactMap { $0[0] } == reported.map(String.init)
            )
            #expect(try again.rows("SELECT count(*) FROM outcomes WHERE state = 7") == [["\(reported.count)"]])
            await again.close()
        }
        await test.close()
    }

    @Test("a replay that waited goes on waiting, with its stamp; one that was sent, or lacks credentials, ends")
    func replays() async throws {
        let test = try TestQueue()
        let original = try await test.insert(test.request("/r", body: .memory(ByteBuffer(string: "body"))))
        func replay(_ fields: [(String, String)] = []) -> QueuedRequest {
            test.request(
                "/r",
                fields: fields,
                body: .memory(ByteBuffer(string: "body")),
                priority: .replay,
                replayOf: original
            )
        }
        let waiting = try await test.insert(replay([("X-A", "b")]))
        let sent = try await test.insert(replay(), pod: .at(1))
        let secret = try await test.insert(replay([("Authorization", "Bearer abc")]))
        let copy = try test.folder.snapshot()
        await test.close()

        let again = try TestQueue(in: copy)
        let all = again.queue.takeRecovered()
        let recovered = try #require(all.first)
        #expect(all.count == 1)
        #expect(again.queue.takeRecovered().isEmpty)
        #expect(recovered.stamp.id == waiting)
        #expect(recovered.source.replayOf == original)
        #expect(recovered.source.fields.first("X-A") == "b")
        #expect(recovered.source.method == .post)
        guard case .memory(let body) = recovered.source.body else {
            Issue.record("the body is in memory")
            return
        }
        #expect(String(buffer: body) == "body")
        #expect(
            try again.rows("SELECT id, state FROM request_log WHERE replay_of IS NOT NULL ORDER BY id") == [
                ["\(waiting.rawValue)", "queued"], ["\(sent.rawValue)", "interrupted"],
                ["\(secret.rawValue)", "abandoned"],
            ]
        )
        // It is dispatched and ended as any other.
        let request = again.request("/r", priority: .replay)
        request.stamp(recovered.stamp)
        try await again.attempt(request, number: 1, pod: .at(3))
        try await again.end(waiting)
        #expect(try again.rows("SELECT state FROM request_log WHERE id = \(waiting.rawValue)") == [["completed"]])
        #expect(again.queue.statistics.openRequests == 0)
        await again.close()
    }

    @Test("recovery looks at nothing below the low-water mark, which no open request is below")
    func lowWater() async throws {
        let test = try TestQueue()
        for _ in 0..<10 { try await test.end(try await test.insert(pod: .at(1))) }
        let open = try await test.insert("/open")
        for _ in 0..<10 { try await test.end(try await test.insert(pod: .at(1))) }
        await test.close()
        #expect(try test.rows("SELECT value FROM marks WHERE name = 'low_water'") == [["\(open.rawValue)"]])
        let plan = try test.rows("EXPLAIN QUERY PLAN \(Recovery.findOpen)").compactMap { $0[3] }
        #expect(plan.contains("SEARCH r USING INTEGER PRIMARY KEY (rowid>?)"))
        #expect(plan.contains("SEARCH o USING INTEGER PRIMARY KEY (rowid=?)"))

        let again = try TestQueue(in: test.folder)
        #expect(try again.rows("SELECT request FROM outcomes WHERE state = 6") == [["\(open.rawValue)"]])
        await again.close()
    }

    @Test("the set of open requests agrees with a plain set under random use, and stays small")
    func openRequests() {
        var generator = SystemRandomNumberGenerator()
        var open = OpenRequests()
        var model: Set<Int64> = []
        var last: Int64 = 0
        for step in 0..<20_000 {
            if model.count < 50, Bool.random(using: &generator) || model.isEmpty {
                last += Int64.random(in: 1...5, using: &generator)
                open.add(last)
                model.insert(last)
            } else if let id = step.isMultiple(of: 7) ? last + 1 : model.randomElement(using: &generator) {
                open.remove(id)
                model.remove(id)
            }
            #expect(open.count == model.count)
            #expect(open.lowest == model.min())
        }
        #expect(open.capacityInUse <= 200)
    }
}
