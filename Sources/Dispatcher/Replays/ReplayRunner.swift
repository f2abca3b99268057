import Core
package import Logging
import NIOCore
package import Queue

/// Runs the bulk replays: background work behind all live traffic, one after the other's next few rows.
///
/// The thin actor around each job's ``ReplayCourse``: it looks at the rows, asks the course, hands over what that says, and tells it the end.
/// Operators' words go through it, so that none crosses what is under way; they are in the database before they are in force.
package actor ReplayRunner {
    /// Jobs that have not ended, at most.
    package static let mostJobs = 32
    /// How often progress is saved; what is not saved yet follows from the rows.
    private static let saveInterval = Duration.seconds(1)
    /// How often to look where there is nothing to do.
    private static let idleInterval = Duration.milliseconds(250)

    private let jobs: ReplayJobs
    private let log: RequestLog
    private let replayer: Replayer
    private let dispatcher: RequestDispatcher
    /// Returns when everything that was handed to the journal is written.
    private let flush: @Sendable () async throws -> Void
    private let storageProblem: @Sendable () -> StorageProblem?
    private let elapsed: @Sendable () -> Duration
    private let sleep: @Sendable (Duration) async throws -> Void
    private let logger: Logger

    private var courses: [ReplayJobID: ReplayCourse]
    /// Jobs that are being written for the first time.
    private var beingMade = 0
    private var savedAt: Duration = .zero
    /// The last that ended, the newest first: whoever watches hears of their end.
    private var ended: [ReplayReport] = []
    /// What the database has of each job's progress.
    private var saved: [ReplayJobID: ReplayProgress]

    /// Takes up the jobs that had not ended when the gateway last did.
    package init(
        queue: RequestQueue,
        replayer: Replayer,
        dispatcher: RequestDispatcher,
        clock: some Clock<Duration> = .continuous,
        logger: Logger
    ) {
        jobs = queue.replayJobs
        log = queue.log
        flush = { try await queue.flush() }
        storageProblem = { queue.journal.unavailable }
        self.replayer = replayer
        self.dispatcher = dispatcher
        self.logger = logger
        let unfinished = queue.replayJobs.unfinished
        courses = Dictionary(uniqueKeysWithValues: unfinished.map { ($0.id, ReplayCourse($0)) })
        saved = Dictionary(uniqueKeysWithValues: unfinished.map { ($0.id, $0.progress) })
        let start = clock.now
        elapsed = { start.duration(to: clock.now) }
        sleep = { try await clock.sleep(for: $0) }
    }

    // MARK: Running

    /// Until the task is cancelled; what is under way then is seen to its end, which is the next commit.
    package func run() async {
        while !Task.isCancelled {
            let pause = await tick()
            try? await sleep(pause)
        }
        await save()
    }

    /// Takes each job a step further.
    /// - Returns: How soon to come again.
    package func tick() async -> Duration {
        for id in courses.keys.sorted() { await step(id) }
        if elapsed() - savedAt >= Self.saveInterval { await save() }
        return courses.values.map(\.interval).min() ?? Self.idleInterval
    }

    /// After each `await` the course may have been moved by an operator: it is asked again, never written back.
    private func step(_ id: ReplayJobID) async {
        guard let course = courses[id], !course.isAtRest else { return }
        do {
            if course.mayClear(at: elapsed()) {
                try await flush()
                courses[id]?.cleared()
            }
            let change = try await log.replayRows(of: id, since: course.tally)
            courses[id]?.counted(change)
            if courses[id]?.job.state == .cancelled { await cancelWaiting(id) }
            if courses[id]?.hasEnded == true { return try await end(id) }
            try await make(id)
        } catch {
            courses[id]?.doubt("\(error)", at: elapsed())
        }
    }

    /// Makes the next rows.
    private func make(_ id: ReplayJobID) async throws {
        guard let course = courses[id], course.job.state == .running, course.isCounted, !course.isInDoubt else {
            return
        }
        if let problem = storageProblem() {
            courses[id]?.hold("requests cannot be recorded now: \(problem)", at: elapsed())
            return
        }
        if course.wantsCandidates {
            let selection = LogSelection(filter: course.job.filter, upper: course.job.upper)
            let part = try await log.replayCandidates(selection, job: id, after: course.scannedTo, limit: 500)
            courses[id]?.found(part)
        }
        guard let part = courses[id]?.next(at: elapsed()) else { return }
        guard !part.isEmpty else {
            courses[id]?.done(part, skipped: [:])
            return
        }
        do {
            try await make(part, id)
        } catch {
            courses[id]?.failed(part, "\(error)", at: elapsed())
        }
    }

    private func make(_ part: ReplayCourse.Part, _ id: ReplayJobID) async throws {
        guard let course = courses[id] else { return }
        let wanted = part.again + part.new
        let sources = try await log.replaySources(wanted.map(RequestID.init(rawValue:)))
        let found = Set(sources.map(\.id.rawValue))
        var skipped: [Int64: ReplayRefusal.Reason] = [:]
        for id in wanted where !found.contains(id) { skipped[id] = .gone }
        var orders: [Replayer.Order] = []
        for source in sources {
            // Looked at again: what is found later than the candidates may have lost its body.
            let isConfirmed = course.job.isConfirmed
            if let refusal = ReplayRule.refusal(of: source.facts, edits: course.edits, isConfirmed: isConfirmed) {
                skipped[source.id.rawValue] = refusal.reason
                continue
            }
            do throws(ReplayRefusal) {
                orders.append(Replayer.Order(source: source, route: try replayer.route(of: source, course.edits)))
            } catch {
                skipped[source.id.rawValue] = error.reason
            }
        }
        guard courses[id]?.job.state == .running else {
            // An operator was quicker: nothing of it was handed over.
            courses[id]?.failed(part, nil, at: elapsed())
            return
        }
        let results = await replayer.replay(orders, edits: course.edits, job: id)
        for result in results {
            if case .failure(let error) = result {
                courses[id]?.failed(part, error.description, at: elapsed())
                return
            }
        }
        courses[id]?.done(part, skipped: skipped)
    }

    private func cancelWaiting(_ id: ReplayJobID) async {
        guard let open = courses[id]?.tally.open else { return }
        await dispatcher.cancel(Set(open.lazy.filter { !$0.value.isDispatched }.map { RequestID(rawValue: $0.key) }))
    }

    private func end(_ id: ReplayJobID) async throws {
        guard let course = courses[id] else { return }
        let milliseconds = try await jobs.end(id, progress: course.job.progress, results: course.tally.results)
        // An operator may have cancelled it meanwhile.
        var report = courses[id]?.report ?? course.report
        report.job.endedMilliseconds = milliseconds
        if report.job.state != .cancelled { report.job.state = .finished }
        ended = [report] + ended.prefix(Self.mostJobs)
        courses[id] = nil
        saved[id] = nil
        logger.notice(
            "A replay job has ended",
            metadata: [
                "job": "\(id)", "completed": "\(course.tally.results.completed)",
                "failed": "\(course.tally.results.failed)", "interrupted": "\(course.tally.results.interrupted)",
            ]
        )
    }

    private func save() async {
        savedAt = elapsed()
        for id in courses.keys.sorted() {
            guard let progress = courses[id]?.job.progress, progress != saved[id] else { continue }
            // What cannot be saved now is later; until then it follows from the rows.
            guard (try? await jobs.save(progress, of: id)) != nil else { continue }
            saved[id] = progress
        }
    }
}

// MARK: - Operators

extension ReplayRunner {
    /// Makes a job, which begins at once.
    /// - Throws: ``ReplayJobProblem``, ``Queue/QueueError``.
    package func create(_ draft: ReplayJobDraft, edits: ReplayEdits) async throws -> ReplayReport {
        guard courses.count + beingMade < Self.mostJobs else {
            throw ReplayJobProblem(.tooMany, "\(courses.count) replay jobs have not ended yet; cancel one, or wait")
        }
        beingMade += 1
        defer { beingMade -= 1 }
        let job = try await jobs.create(draft)
        let course = ReplayCourse(job, edits: edits)
        courses[job.id] = course
        saved[job.id] = job.progress
        return course.report
    }

    package func pause(_ id: ReplayJobID) async throws -> ReplayReport {
        try await move(id, to: .paused)
    }

    /// - Parameter edits: Fields in place of those that were supplied before.
    package func resume(_ id: ReplayJobID, edits: ReplayEdits? = nil) async throws -> ReplayReport {
        guard let course = courses[id] else { throw try await missing(id) }
        let all = edits ?? course.edits
        let lacking = course.job.suppliedNames.filter { !all.suppliedNames.contains($0.lowercased()) }
        guard lacking.isEmpty else {
            throw ReplayJobProblem(.fieldsMissing, "supply \(lacking.joined(separator: ", ")) in `headers`")
        }
        return try await move(id, to: .running, edits: edits)
    }

    /// No row is made any more, and those that wait are taken out of the queue; what pods have goes on.
    package func cancel(_ id: ReplayJobID) async throws -> ReplayReport {
        let report = try await move(id, to: .cancelled)
        await cancelWaiting(id)
        return courses[id]?.report ?? report
    }

    /// The newest first.
    package func reports(_ count: Int = 100) async throws -> [ReplayReport] {
        try await jobs.newest(count).map { courses[$0.id]?.report ?? ReplayReport(job: $0) }
    }

    /// Those that have not ended and the last that have, the newest first; without a look at the database, for whoever watches.
    package func watched() -> [ReplayReport] {
        (courses.values.map(\.report) + ended).sorted { $0.job.id > $1.job.id }
    }

    package func report(_ id: ReplayJobID) async throws -> ReplayReport {
        if let course = courses[id] { return course.report }
        guard let job = try await jobs.job(id) else { throw ReplayJobProblem.unknown(id) }
        return ReplayReport(job: job)
    }

    private func move(
        _ id: ReplayJobID,
        to state: ReplayJob.State,
        edits: ReplayEdits? = nil
    ) async throws -> ReplayReport {
        guard courses[id] != nil else { throw try await missing(id) }
        let names = edits.map { $0.fields.map(\.name) }
        guard try await jobs.move(id, to: state, supplied: names) else { throw try await missing(id) }
        courses[id]?.moved(to: state, edits: edits)
        guard let course = courses[id] else { throw try await missing(id) }
        return course.report
    }

    private func missing(_ id: ReplayJobID) async throws -> ReplayJobProblem {
        let report = try await report(id)
        return ReplayJobProblem(.ended, "replay job \(id) has ended: it is \(report.job.state.name)")
    }
}

/// Why a job is not what an operator wants it to be.
package struct ReplayJobProblem: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unknown = "not_found"
        case ended = "job_ended"
        case tooMany = "too_many_jobs"
        case fieldsMissing = "credentials_missing"
    }

    package var code: Code
    package var description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    static func unknown(_ id: ReplayJobID) -> ReplayJobProblem {
        ReplayJobProblem(.unknown, "there is no replay job \(id)")
    }
}

/// A job and what became of its replays so far.
package struct ReplayReport: Sendable {
    package var job: ReplayJob
    package var waiting = 0
    package var dispatched = 0

    package init(job: ReplayJob, waiting: Int = 0, dispatched: Int = 0) {
        self.job = job
        self.waiting = waiting
        self.dispatched = dispatched
    }

    package var results: ReplayResults { job.results ?? ReplayResults() }
}
