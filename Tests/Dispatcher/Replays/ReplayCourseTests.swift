import Core
import Testing

@testable import Dispatcher
@testable import Queue

@Suite("A bulk replay sends each source once, whatever happens")
struct ReplayCourseTests {
    private static func source(_ id: Int64, _ state: RequestState = .expired) -> ReplayFacts {
        ReplayFacts(id: RequestID(rawValue: id), state: state, method: .post)
    }

    private static func job(limit: Int = 1_000_000, rate: Double = 1000, upper: Int64) -> ReplayJob {
        ReplayJob(
            id: ReplayJobID(rawValue: 1),
            createdMilliseconds: 0,
            filter: LogFilter(),
            rate: rate,
            limit: limit,
            isConfirmed: false,
            suppliedNames: [],
            upper: RequestID(rawValue: upper),
            matching: 0,
            isMatchingComplete: true,
            state: .running,
            progress: ReplayProgress()
        )
    }

    /// One step, as the runner makes it.
    private func step(_ course: inout ReplayCourse, _ world: inout ReplayModel, at now: Duration) {
        if course.mayClear(at: now) { course.cleared() }
        course.counted(world.change(since: course.tally))
        guard !course.hasEnded else { return }
        if course.wantsCandidates { course.found(world.candidates(after: course.scannedTo)) }
        guard let part = course.next(at: now) else { return }
        if world.handOver(part.again + part.new) {
            course.done(part, skipped: [:])
        } else {
            course.failed(part, "as the world has it", at: now)
        }
    }

    @Test(
        "with failing hand-overs and crashes at any moment: none twice, none left out, what was skipped is counted once",
        arguments: 0..<60 as Range<UInt64>
    )
    func everything(seed: UInt64) {
        let states: [RequestState] = [.expired, .abandoned, .completed, .rejected, .expired]
        let sources = (1...300).map { Self.source(Int64($0), states[$0 % states.count]) }
        var world = ReplayModel(sources: sources, hasCredentials: seed.isMultiple(of: 3), seed: seed)
        var job = Self.job(upper: 300)
        var course = ReplayCourse(job)
        var now = Duration.zero
        var steps = 0
        while !course.hasEnded, steps < 20_000 {
            step(&course, &world, at: now)
            world.pass()
            now += .milliseconds(10)
            steps += 1
            // As the runner does it, about once a second.
            if world.random.chance(0.05) { job = course.job }
            if world.random.chance(0.01) {
                world.crash()
                course = ReplayCourse(job)
            }
        }
        #expect(course.hasEnded, "after \(steps) steps")
        let replayable = sources.filter { $0.state == .expired || $0.state == .abandoned }
        for source in replayable {
            let final = world.rows.filter { $0.source == source.id.rawValue && $0.state != .abandoned }
            #expect(final.count == 1, "source \(source.id.rawValue)")
        }
        #expect(Set(world.rows.map(\.source)) == Set(replayable.map(\.id.rawValue)))
        #expect(course.job.progress.made == replayable.count)
        #expect(course.job.progress.skipped == ["confirmation_needed": 60, "never_queued": 60])
        let results = course.tally.results
        #expect(results.completed + results.failed + results.interrupted == replayable.count)
        #expect(results.interrupted == world.rows.count { $0.state == .interrupted })
    }

    @Test("no more than its bound are made, also over a crash")
    func limit() {
        var world = ReplayModel(sources: (1...100).map { Self.source(Int64($0)) }, hasCredentials: false, seed: 1)
        var course = ReplayCourse(Self.job(limit: 25, upper: 100))
        var now = Duration.zero
        for turn in 0..<2000 where !course.hasEnded {
            step(&course, &world, at: now)
            world.pass()
            now += .milliseconds(10)
            if turn == 3 {
                world.crash()
                course = ReplayCourse(Self.job(limit: 25, upper: 100))
            }
        }
        #expect(course.hasEnded)
        #expect(course.job.progress.made == 25)
        #expect(Set(world.rows.map(\.source)) == Set(1...25))
    }

    @Test("a paused one makes nothing and goes on where it was; a cancelled one ends when its last row has")
    func pauses() {
        var world = ReplayModel(sources: (1...50).map { Self.source(Int64($0)) }, hasCredentials: false, seed: 2)
        var course = ReplayCourse(Self.job(rate: 100, upper: 50))
        step(&course, &world, at: .zero)
        course.moved(to: .paused)
        let made = world.rows.count
        step(&course, &world, at: .seconds(5))
        #expect(world.rows.count == made)
        #expect(!course.hasEnded)
        course.moved(to: .running)
        step(&course, &world, at: .seconds(6))
        #expect(world.rows.count > made)
        course.moved(to: .cancelled)
        let last = world.rows.count
        var now = Duration.seconds(7)
        while !course.hasEnded, now < .seconds(60) {
            step(&course, &world, at: now)
            world.pass()
            now += .milliseconds(10)
        }
        #expect(course.hasEnded)
        #expect(world.rows.count == last)
        #expect(course.report.waiting == 0)
    }

    @Test("trouble holds a job off for a second and is told; then it goes on")
    func trouble() {
        var world = ReplayModel(sources: [Self.source(1)], hasCredentials: false, seed: 3)
        var course = ReplayCourse(Self.job(upper: 1))
        course.counted(world.change(since: course.tally))
        course.hold("the disk is full", at: .zero)
        #expect(course.report.job.detail == "the disk is full")
        course.found(world.candidates(after: 0))
        #expect(course.next(at: .milliseconds(500)) == nil)
        #expect(course.next(at: .seconds(1))?.new == [1])
        _ = world.handOver([])
    }
}
