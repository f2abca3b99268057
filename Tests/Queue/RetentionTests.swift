import Core
import Foundation
import NIOCore
import Testing

@testable import Queue

@Suite("Retention removes what is old or too much, oldest first, and only what has ended")
struct RetentionTests {
    /// A closed queue's database, its slices run by hand with a clock of the test's own.
    private final class Hand {
        let connection: SQLiteConnection
        let retention: Retention
        var removed = RowRemoval.Removed()

        init(
            _ test: TestQueue,
            rowAge: Duration = .seconds(1_000_000),
            bodyAge: Duration = .seconds(1_000_000),
            bytes: Int64 = .max,
            reserve: Int64 = 0,
            sliceLength: Int64 = 3_000_000,
            spool: any SpooledBytes = Files(),
            in future: Int64 = 0,
            isRestart: Bool = false,
            room: @escaping () -> Int64 = { .max }
        ) throws {
            connection = try DatabaseFile.openWriter(test.queue.configuration)
            let limits = Retention.Limits(
                rowAge: rowAge,
                bodyAge: bodyAge,
                databaseBytes: bytes,
                diskReserve: reserve,
                sparePages: 8,
                sliceLength: sliceLength
            )
            // As if it had run until then.
            let clock = wallClockMilliseconds() + future * 1000
            if !isRestart {
                try connection.execute("INSERT OR REPLACE INTO marks (name, value) VALUES ('age', \(clock))")
            }
            retention = try Retention(
                connection,
                limits: limits,
                spool: spool,
                room: room,
                milliseconds: { wallClockMilliseconds() + future * 1000 }
            )
        }

        /// Slices until one removes something; what that did.
        func slices(untilRemoved count: Int) throws -> RowRemoval.Removed {
            while true {
                let slice = try retention.slice(open: OpenRequests(), largestID: .max - 1)
                if slice.requests >= count || !retention.isUnderWay { return slice }
            }
        }

        /// One pass; its slices follow each other at once.
        /// - Parameter ids: What is open, in order.
        func pass(open ids: RequestID...) throws {
            var open = OpenRequests()
            for id in ids { open.add(id.rawValue) }
            retention.begin()
            repeat {
                let slice = try retention.slice(open: open, largestID: .max - 1)
                removed.requests += slice.requests
                removed.files += slice.files
            } while retention.isUnderWay
        }
    }

    /// Files that nobody removes.
    private struct Files: SpooledBytes {
        var byteCount: Int64 = 0
        var each: Int64 = 0
        func byteCount(of name: String) -> Int64 { each }
    }

    private func body(_ count: Int) -> RequestBody { .memory(ByteBuffer(repeating: 0x61, count: count)) }

    @Test("old rows go with all that belongs to them; open and young ones stay")
    func rows() async throws {
        let test = try TestQueue()
        let old = test.request("/old", body: body(5000))
        try await test.insert(old)
        try await test.attempt(old, number: 1, pod: .at(1))
        try await test.end(old.id)
        let open = try await test.insert("/open")
        await test.close()

        let young = try Hand(test, rowAge: .seconds(100), in: 50)
        try young.pass(open: open)
        #expect(young.removed.requests == 0)

        let late = try Hand(test, rowAge: .seconds(100), in: 200)
        try late.pass(open: open)
        #expect(late.removed.requests == 1)
        for table in ["attempts", "outcomes", "bodies"] {
            #expect(try test.rows("SELECT count(*) FROM \(table)") == [["0"]])
        }
        #expect(try test.rows("SELECT target FROM requests") == [["/open"]])
    }

    @Test("old bodies go and their rows stay, those of answers too; what ends later is found again")
    func bodies() async throws {
        let test = try TestQueue()
        let spooled = try await test.spool(ByteBuffer(repeating: 0x62, count: 300_000))
        let requests = [
            test.request("/inline", body: body(100)), test.request("/apart", body: body(5000)),
            test.request("/file", body: .spooled(spooled)), test.request("/open", body: body(100)),
        ]
        for request in requests { try await test.insert(request) }
        for request in requests.dropLast() {
            var outcome = Outcome.of(request.id)
            outcome.answerBody = ByteBuffer(string: "answer")
            test.journal.end(outcome)
        }
        await test.close()

        let hand = try Hand(test, bodyAge: .seconds(100), in: 200)
        try hand.pass(open: requests[3].id)
        #expect(hand.removed.files == [spooled.name])
        #expect(
            try test.rows("SELECT target, length(body), body_bytes FROM requests ORDER BY id") == [
                ["/inline", nil, "100"], ["/apart", nil, "5000"], ["/file", nil, "300000"], ["/open", "100", "100"],
            ]
        )
        #expect(try test.rows("SELECT count(*), count(answer_body) FROM outcomes") == [["3", "0"]])
        #expect(try test.rows("SELECT count(*) FROM bodies") == [["0"]])

        try hand.connection.execute(
            """
            INSERT INTO outcomes (request, state, reason, attempts, ended_at, answer_bytes)
            VALUES (\(requests[3].id.rawValue), 2, 'ok', 1, 0, 0)
            """
        )
        try hand.pass()
        #expect(try test.rows("SELECT count(body) FROM requests") == [["0"]])
    }

    @Test("a pass goes on where the one before ended; what was open then is looked at when it has ended")
    func resumes() async throws {
        let test = try TestQueue()
        let open = try await test.insert(test.request("/open", body: body(5000)))
        for _ in 0..<100 { try await test.end(try await test.insert(test.request(body: body(5000)))) }
        await test.close()
        let hand = try Hand(test, bodyAge: .seconds(100), in: 200)
        try hand.pass(open: open)
        #expect(hand.retention.looks == 100)
        for _ in 0..<5 { try hand.pass(open: open) }
        #expect(hand.retention.looks == 100)
        #expect(try test.rows("SELECT request FROM bodies") == [["\(open.rawValue)"]])
        try hand.pass()
        #expect(hand.retention.looks == 101)
        #expect(try test.rows("SELECT count(*) FROM bodies") == [["0"]])
        // Another run begins at the first that was open.
        #expect(try test.rows("SELECT value > \(open.rawValue) FROM marks WHERE name = 'bodies_removed'") == [["1"]])
    }

    @Test("a clock that is set forward ages rows at twice its pace at most; set back again, nothing was lost")
    func ageClock() {
        var clock = AgeClock()
        let second: Int64 = 1_000_000_000
        #expect(clock.now(wall: 1_000_000, monotonic: 0) == 1_000_000)
        #expect(clock.now(wall: 1_001_000, monotonic: second) == 1_001_000)
        // Ten days ahead.
        #expect(clock.now(wall: 865_002_000, monotonic: 2 * second) == 1_003_000)
        #expect(clock.now(wall: 865_003_000, monotonic: 3 * second) == 1_005_000)
        #expect(clock.now(wall: 1_004_000, monotonic: 4 * second) == 1_004_000)
        #expect(clock.now(wall: 1_005_000, monotonic: 5 * second) == 1_005_000)
        // Back an hour: nothing is older than it is.
        #expect(clock.now(wall: 1_005_000 - 3_600_000, monotonic: 6 * second) == 1_005_000 - 3_600_000)
    }

    @Test("a clock that is ahead when the gateway starts removes nothing, and goes on from what was saved")
    func restartAhead() async throws {
        let test = try TestQueue()
        try await test.end(try await test.insert())
        await test.close()
        for _ in 0..<2 {
            let hand = try Hand(test, rowAge: .seconds(86_400), in: 30 * 86_400, isRestart: true)
            for _ in 0..<3 { try hand.pass() }
            #expect(hand.removed.requests == 0)
        }
        // A database of an earlier version has no mark.
        let shell = try DatabaseFile.openWriter(test.queue.configuration)
        try shell.execute("DELETE FROM marks WHERE name = 'age'")
        shell.close()
        let hand = try Hand(test, rowAge: .seconds(86_400), in: 30 * 86_400, isRestart: true)
        try hand.pass()
        #expect(hand.removed.requests == 0)
    }

    @Test("after a clock that was ahead for a moment, rows go at their own age, and those of that moment with them")
    func idsAhead() async throws {
        let test = try TestQueue()
        let month: Int64 = 30 * 86_400_000
        // One before, two in the moment, three after it; of these the last is younger.
        for number in 0..<6 {
            let id = try await test.insert(test.request("/\(number)", body: body(5000)))
            try await test.end(id)
            try await test.queue.perform { connection in
                guard number > 0 else { return }
                let ahead = id.rawValue + month << 22
                let accepted = number < 3 ? "+ \(month)" : number == 5 ? "+ 120000" : ""
                try connection.execute(
                    """
                    UPDATE requests SET id = \(ahead), accepted_at = accepted_at \(accepted) WHERE id = \(id.rawValue);
                    UPDATE outcomes SET request = \(ahead) WHERE request = \(id.rawValue);
                    UPDATE bodies SET request = \(ahead) WHERE request = \(id.rawValue);
                    """
                )
            }
        }
        await test.close()

        let young = try Hand(test, rowAge: .seconds(100), in: 50)
        try young.pass()
        #expect(young.removed.requests == 0)
        let bodies = try Hand(test, bodyAge: .seconds(100), in: 150)
        try bodies.pass()
        #expect(try test.rows("SELECT count(*) FROM bodies") == [["1"]])
        let late = try Hand(test, rowAge: .seconds(100), in: 150)
        try late.pass()
        #expect(try test.rows("SELECT target FROM requests") == [["/5"]])
        // The same hand goes on from where it was.
        try late.pass()
        #expect(late.removed.requests == 5)
    }

    @Test("what a bulk replay made stays until that has ended")
    func openJob() async throws {
        let test = try TestQueue()
        try await test.queue.perform { connection in
            try connection.execute(
                """
                INSERT INTO replay_jobs (id, created_at, filter, rate, "limit", confirmed, supplied, upper, matching, complete)
                VALUES (7, 0, '{}', 1, 1, 0, '', 0, 0, 1)
                """
            )
        }
        try await test.end(try await test.insert("/plain"))
        let made = test.request("/made", priority: .replay, replayJob: ReplayJobID(rawValue: 7))
        try await test.end(try await test.insert(made))
        await test.close()
        let hand = try Hand(test, rowAge: .seconds(100), in: 200)
        try hand.pass()
        #expect(try test.rows("SELECT target FROM requests") == [["/made"]])
        try hand.connection.execute("UPDATE replay_jobs SET ended_at = 1")
        try hand.pass()
        #expect(try test.rows("SELECT count(*) FROM requests") == [["0"]])
    }

    @Test("where the disk is short of room the oldest go, down to what it is to have free, and no further")
    func shortDisk() async throws {
        let test = try TestQueue()
        for number in 0..<400 {
            try await test.insert(test.request("/\(number)", body: body(10_000)), pod: .at(1))
        }
        let ids = try test.rows("SELECT id FROM requests").compactMap { $0[0].flatMap { Int64($0) } }
        for id in ids { test.journal.end(.of(RequestID(rawValue: id))) }
        await test.close()
        let size = try #require(try FileManager.default.attributesOfItem(atPath: test.folder.database)[.size] as? Int)
        #expect(size > 4_000_000)

        // Enough is free: nothing goes.
        let roomy = try Hand(test, reserve: 1_000_000, room: { 1_000_000 })
        try roomy.pass()
        #expect(roomy.removed.requests == 0)
        // 400,000 are missing.
        let short = try Hand(test, reserve: 1_000_000, room: { 600_000 })
        while try short.retention.slice(open: OpenRequests(), largestID: .max - 1).requests == 0 {}
        let left = try #require(Int(try test.rows("SELECT count(*) FROM requests")[0][0] ?? ""))
        #expect((300..<380).contains(left), "\(left)")
        // Others fill it: what is here goes down to as much as is to be free.
        let full = try Hand(test, reserve: 1_000_000, room: { 0 })
        for _ in 0..<8 { try full.pass() }
        let rest = try #require(Int(try test.rows("SELECT count(*) FROM requests")[0][0] ?? ""))
        #expect((50..<100).contains(rest), "\(rest)")
    }

    @Test("a file that a replay shares stays until the last of them goes")
    func sharedFile() async throws {
        let test = try TestQueue()
        let spooled = try await test.spool(ByteBuffer(repeating: 0x62, count: 300_000))
        let original = try await test.insert(test.request(body: .spooled(spooled)))
        let replay = try await test.insert(test.request(body: .spooled(spooled), priority: .replay, replayOf: original))
        try await test.end(original)
        await test.close()
        let hand = try Hand(test, bodyAge: .seconds(1), in: 100)
        try hand.pass(open: replay)
        #expect(hand.removed.files == [])
        try hand.connection.execute(
            """
            INSERT INTO outcomes (request, state, reason, attempts, ended_at, answer_bytes)
            VALUES (\(replay.rawValue), 2, 'ok', 1, 0, 0)
            """
        )
        try hand.pass()
        #expect(hand.removed.files == [spooled.name])
    }

    @Test("above its size the database loses its oldest rows, and gives the space back")
    func size() async throws {
        let test = try TestQueue()
        for number in 0..<400 {
            let request = test.request("/\(number)", body: body(10_000))
            let receipt = Receipt(on: test.eventLoop)
            test.journal.insert(request, pod: .at(1), receiver: receipt)
            if number.isMultiple(of: 50) { _ = try await receipt.commit() }
            test.journal.end(.of(request.id))
        }
        await test.close()
        let before = try #require(try FileManager.default.attributesOfItem(atPath: test.folder.database)[.size] as? Int)
        #expect(before > 4_000_000)
        let limit: Int64 = 2_000_000
        let hand = try Hand(test, bytes: limit)
        try hand.pass()
        #expect(hand.removed.requests > 150)
        #expect(hand.removed.requests < 250, "no more than is needed")
        let kept = try test.rows("SELECT min(CAST(substr(target, 2) AS INTEGER)) FROM requests")[0]
        #expect(kept[0] == "\(hand.removed.requests)")
        #expect(try hand.connection.integer("PRAGMA freelist_count") ?? 0 < 200)
        try hand.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let after = try #require(try FileManager.default.attributesOfItem(atPath: test.folder.database)[.size] as? Int)
        #expect(Int64(after) < limit + 500_000)
        #expect(try test.rows("PRAGMA integrity_check") == [["ok"]])
    }

    @Test("where files are what is large, no more requests go than their files must")
    func filesOverSize() async throws {
        let test = try TestQueue()
        for _ in 0..<50 {
            let body = try await test.spool(ByteBuffer(repeating: 0x62, count: 300_000))
            try await test.end(try await test.insert(test.request(body: .spooled(body))))
        }
        await test.close()
        // Told as 100 MiB each, and not removed within the slice: as on a disk that takes its time.
        let each: Int64 = 100 << 20
        let hand = try Hand(
            test,
            bytes: 48 * each,
            sliceLength: 60_000_000_000,
            spool: Files(byteCount: 50 * each, each: each)
        )
        let slice = try hand.slices(untilRemoved: 1)
        #expect(slice.requests == 3)
        #expect(slice.files.count == 3)
    }

    @Test("the writer runs it by itself")
    func byItself() async throws {
        let test = try TestQueue { $0.logRetention = .zero }
        try await test.end(try await test.insert())
        await test.close()
        let again = try TestQueue(in: test.folder) { $0.logRetention = .seconds(-60) }
        let start = ContinuousClock.now
        while again.queue.statistics.requestsRemoved == 0, .now - start < .seconds(10) { await Task.yield() }
        #expect(try again.rows("SELECT count(*) FROM requests") == [["0"]])
        await again.close()
    }
}
