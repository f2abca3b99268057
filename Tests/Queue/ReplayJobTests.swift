import Core
import Foundation
import GRDB
import NIOCore
import Testing

@testable import Queue

@Suite("Bulk replays in the database")
struct ReplayJobTests {
    private func draft(_ filter: LogFilter = LogFilter(), names: [String] = []) -> ReplayJobDraft {
        ReplayJobDraft(
            filter: filter,
            rate: 2.5,
            limit: 7,
            isConfirmed: true,
            suppliedNames: names,
            upper: RequestID(rawValue: 1000),
            matching: 3,
            isMatchingComplete: false
        )
    }

    private func replay(
        _ test: TestQueue,
        of source: RequestID,
        job: ReplayJobID,
        pod: Pod? = nil
    ) async throws -> RequestID {
        try await test.insert(test.request(priority: .replay, replayOf: source, replayJob: job), pod: pod)
    }

    @Test("a job is read back as it was made, moved and saved, also by the next start")
    func readBack() async throws {
        let test = try TestQueue()
        var filter = LogFilter()
        filter.states = [.failed, .expired]
        filter.reasons = [.noCapacity]
        filter.statuses = 500...599
        filter.text = "it's \"so\""
        filter.replayOf = RequestID(rawValue: 12)
        let jobs = test.queue.replayJobs
        let job = try await jobs.create(draft(filter))
        #expect(job.id.rawValue == 1)
        var progress = ReplayProgress()
        progress.cursor = 99
        progress.made = 4
        progress.skipped = ["body_missing": 2]
        try await jobs.save(progress, of: job.id)
        #expect(try await jobs.move(job.id, to: .paused))
        await test.close()

        let again = try TestQueue(in: test.folder)
        let read = try #require(again.queue.replayJobs.unfinished.first)
        #expect(read.state == .paused)
        #expect(read.progress == progress)
        #expect(read.filter.states == filter.states && read.filter.reasons == filter.reasons)
        #expect(read.filter.statuses == filter.statuses && read.filter.text == filter.text)
        #expect(read.filter.replayOf == filter.replayOf)
        #expect(read.rate == 2.5 && read.limit == 7 && read.isConfirmed && !read.isMatchingComplete)

        var results = ReplayResults()
        results.completed = 4
        _ = try await again.queue.replayJobs.end(job.id, progress: progress, results: results)
        let ended = try #require(try await again.queue.replayJobs.job(job.id))
        #expect(ended.state == .finished && ended.results == results && ended.endedMilliseconds != nil)
        #expect(try await !again.queue.replayJobs.move(job.id, to: .running), "what has ended stays so")
        await again.close()
        let last = try TestQueue(in: test.folder)
        #expect(last.queue.replayJobs.unfinished.isEmpty)
        await last.close()
    }

    @Test("a job with supplied fields is paused by a restart, and says which are needed; their values are in no file")
    func suppliedFields() async throws {
        let test = try TestQueue()
        let job = try await test.queue.replayJobs.create(draft(names: ["Authorization", "X-Api-Key"]))
        let source = try await test.insert()
        _ = try await test.insert(
            test.request(
                fields: [("Authorization", "Bearer top-secret")],
                priority: .replay,
                replayOf: source,
                replayJob: job.id
            )
        )
        await test.close()
        let again = try TestQueue(in: test.folder)
        let read = try #require(again.queue.replayJobs.unfinished.first)
        #expect(read.state == .paused)
        #expect(read.detail?.contains("Authorization, X-Api-Key") == true)
        #expect(read.suppliedNames == ["Authorization", "X-Api-Key"])
        #expect(try test.folder.contents().range(of: Data("top-secret".utf8)) == nil)
        await again.close()
    }

    @Test("the tally follows a job's rows and no others, and counts each once")
    func tally() async throws {
        let test = try TestQueue()
        let job = try await test.queue.replayJobs.create(draft())
        let source = try await test.insert()
        try await test.insert("/live")
        let waiting = try await replay(test, of: source, job: job.id)
        let sent = try await replay(test, of: source, job: job.id, pod: .at(1))
        var tally = ReplayTally()
        func look() async throws { tally.apply(try await test.queue.log.replayRows(of: job.id, since: tally)) }
        try await look()
        #expect(tally.open.count == 2 && tally.waiting == 1)
        try await test.end(sent)
        try await test.end(waiting, .failed, .upstreamReset)
        let abandoned = try await replay(test, of: source, job: job.id)
        try await test.end(abandoned, .abandoned, .storageUnavailable)
        try await look()
        #expect(tally.open.isEmpty)
        #expect(tally.results == ReplayResults(completed: 1, failed: 1))
        #expect(tally.again == [source.rawValue])
        let repeated = try await replay(test, of: source, job: job.id, pod: .at(1))
        try await look()
        #expect(tally.again.isEmpty && tally.open.keys.contains(repeated.rawValue))
        try await look()
        #expect(tally.results == ReplayResults(completed: 1, failed: 1))
        await test.close()
    }

    @Test("candidates come oldest first up to the bound, with what the job has a row for marked")
    func candidates() async throws {
        let test = try TestQueue()
        let job = try await test.queue.replayJobs.create(draft())
        var expired: [RequestID] = []
        for number in 0..<5 {
            let id = try await test.insert("/\(number)")
            try await test.end(id, number == 2 ? .failed : .expired, .noCapacity)
            if number != 2 { expired.append(id) }
        }
        let upper = try await test.queue.log.largestID()
        _ = try await replay(test, of: expired[1], job: job.id)
        let later = try await test.insert("/later")
        try await test.end(later, .expired, .noCapacity)
        var filter = LogFilter()
        filter.states = [.expired]
        let selection = LogSelection(filter: filter, upper: upper)
        let part = try await test.queue.log.replayCandidates(selection, job: job.id, after: 0, limit: 3)
        #expect(part.sources.map(\.facts.id) == Array(expired.prefix(3)))
        #expect(part.sources.map(\.isMade) == [false, true, false])
        #expect(!part.isLast)
        let rest = try await test.queue.log.replayCandidates(selection, job: job.id, after: part.scannedTo, limit: 3)
        #expect(rest.sources.map(\.facts.id) == [expired[3]])
        #expect(rest.isLast && rest.scannedTo == upper.rawValue)
        await test.close()
    }

    @Test("a census groups what the same decides about, in parts where one look is too short")
    func census() async throws {
        let test = try TestQueue { $0.pageScanLimit = 3 }
        for number in 0..<8 {
            let fields = number.isMultiple(of: 2) ? [("Authorization", "x")] : [("X-A", "b")]
            let id = try await test.insert(test.request("/\(number)", fields: fields))
            try await test.end(id, .expired, .noCapacity)
        }
        try await test.end(try await test.insert(), .completed)
        var filter = LogFilter()
        filter.reasons = [.noCapacity]
        let selection = LogSelection(filter: filter, upper: try await test.queue.log.largestID())
        let census = try await test.queue.log.census(selection, within: .seconds(60))
        #expect(census.isComplete && census.matching == 8)
        #expect(Set(census.groups.map(\.facts.withheld)) == [[], ["Authorization"]])
        #expect(census.groups.allSatisfy { $0.count == 4 })
        let short = try await test.queue.log.census(selection, within: .zero)
        #expect(!short.isComplete && short.matching == 3)
        #expect(
            try await test.queue.log.first(4, of: selection, within: .seconds(60)).map(\.target) == [
                "/0", "/1", "/2", "/3",
            ]
        )
        await test.close()
    }

    @Test("of a request and its replays one stands for all: the newest that a pod may have had")
    func standIns() async throws {
        let test = try TestQueue()
        func replayed(_ source: RequestID, _ state: RequestState?) async throws -> RequestID {
            let id = try await test.insert(test.request(priority: .replay, replayOf: source))
            if let state { try await test.end(id, state, state == .completed ? .ok : .noCapacity) }
            return id
        }
        var sources: [RequestID] = []
        for _ in 0..<4 {
            let id = try await test.insert()
            try await test.end(id, .failed, .upstreamReset)
            sources.append(id)
        }
        let ran = try await replayed(sources[1], .failed)
        let never = try await replayed(sources[2], .expired)
        let open = try await replayed(sources[3], nil)
        let upper = try await test.queue.log.largestID()
        let job = try await test.queue.replayJobs.create(draft())
        let selection = LogSelection(filter: LogFilter(), upper: upper)
        let part = try await test.queue.log.replayCandidates(selection, job: job.id, after: 0, limit: 100)
        let replayed = part.sources.filter(\.facts.isReplayed).map(\.facts.id)
        #expect(replayed == [sources[1], sources[3], never])
        #expect(part.sources.count == 7 && part.sources.map(\.facts.id).contains(ran))
        #expect(part.sources.last?.facts.id == open)
        let census = try await test.queue.log.census(selection, within: .seconds(60))
        #expect(census.groups.filter(\.facts.isReplayed).reduce(0) { $0 + $1.count } == 3)
        await test.close()
    }

    @Test("the log is filtered by job and by what is repeated, and shows both")
    func filters() async throws {
        let test = try TestQueue()
        let job = try await test.queue.replayJobs.create(draft())
        let source = try await test.insert()
        let other = try await test.insert()
        let first = try await replay(test, of: source, job: job.id)
        let second = try await test.insert(test.request(priority: .replay, replayOf: source))
        let third = try await replay(test, of: other, job: job.id)
        func ids(_ change: (inout LogFilter) -> Void) async throws -> [RequestID] {
            var filter = LogFilter()
            change(&filter)
            return try await test.queue.log.page(filter).entries.map(\.id)
        }
        #expect(try await ids { $0.replayOf = source } == [second, first])
        #expect(try await ids { $0.replayJob = job.id } == [third, first])
        #expect(
            try await ids {
                $0.replayJob = job.id
                $0.replayOf = source
                $0.states = [.queued]
            } == [first]
        )
        let entry = try #require(try await test.queue.log.detail(third))
        #expect(entry.summary.replayJob == job.id && entry.summary.replayOf == other)
        await test.close()
    }

    @Test("everything that is asked while a job runs is found by keys")
    func plans() async throws {
        let test = try TestQueue()
        func plan(_ sql: String, _ arguments: StatementArguments) async throws -> [String] {
            try await test.queue.log.read { db in
                try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN \(sql)", arguments: arguments).map { $0["detail"] }
            }
        }
        let new = try await plan(ReplayTally.newSQL, [1, 2, 3])
        #expect(new.contains("SEARCH r USING INDEX requests_jobs (replay_job=? AND rowid>?)"), "\(new)")
        let made = try await plan(ReplayCandidate.sql, [1, 2])
        #expect(made.contains { $0.contains("USING INDEX requests_replays (replay_of=?)") }, "\(made)")
        for sql in [ReplayTally.openSQL, ReplayFacts.sql] {
            let plan = try await plan(sql, ["[1]"])
            #expect(!plan.contains { $0.hasPrefix("SCAN r") || $0.hasPrefix("SCAN o") }, "\(sql): \(plan)")
        }
        var filter = LogFilter()
        filter.replayJob = ReplayJobID(rawValue: 1)
        let query = LogSelection(filter: filter, upper: RequestID(rawValue: 9)).query(after: 0, scanLimit: 10)
        let page = try await plan(query.sql, query.arguments)
        #expect(
            page.contains { $0.contains("USING COVERING INDEX requests_jobs (replay_job=? AND rowid>? AND rowid<?)") },
            "\(page)"
        )
        #expect(!(new + page).contains { $0.contains("TEMP B-TREE") })
        await test.close()
    }
}

extension ReplayResults {
    fileprivate init(completed: Int, failed: Int) {
        self.init()
        self.completed = completed
        self.failed = failed
    }
}
