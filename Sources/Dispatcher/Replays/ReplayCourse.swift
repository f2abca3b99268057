import Core
import DequeModule
import Queue

/// One job as it runs: what it has counted, what it will make next, and what each look at the world comes to. Decides; does nothing.
///
/// The invariant that a crash relies on: `progress` says "every source up to the cursor has its row or was skipped", and a source above it
/// that has a row is known by that row (``Queue/ReplayCandidate/isMade``). So a part of the selection counts as done only
/// when all of it is, and where anything about it is in doubt it is looked at again.
struct ReplayCourse: Sendable {
    private(set) var job: ReplayJob
    /// The supplied fields among them: in memory only.
    private(set) var edits: ReplayEdits
    private var pace: ReplayPace
    private(set) var tally = ReplayTally()
    /// The tally knows all rows there were at the last look.
    private(set) var isCounted = false
    /// Found, in order, and not decided yet.
    private var candidates: Deque<ReplayCandidate> = []
    /// Found as far as here.
    private(set) var scannedTo: Int64
    private var isScanned = false
    /// Why no rows are made at the moment, though it runs.
    private(set) var trouble: String?
    /// Until when it is left alone after trouble.
    private var restsUntil: Duration?
    /// Hand-overs may be under way whose ends are not known: only rows tell.
    private(set) var isInDoubt = false

    /// Candidates that one look decides about, most of which may be skipped.
    static let decidedAtOnce = 500
    /// How long a job is left alone after trouble.
    static let rest = Duration.seconds(1)

    init(_ job: ReplayJob, edits: ReplayEdits = .none) {
        self.job = job
        self.edits = edits
        pace = ReplayPace(rate: job.rate)
        scannedTo = job.progress.cursor
    }

    /// What to make next.
    struct Part: Sendable, Equatable {
        /// To be replayed, in order: first those that are sent again, then new ones.
        var again: [Int64] = []
        var new: [Int64] = []
        /// What the job's progress is once all of it is done.
        var progress: ReplayProgress

        var isEmpty: Bool { again.isEmpty && new.isEmpty }
    }

    // MARK: What was seen

    mutating func counted(_ change: ReplayTally.Change) {
        tally.apply(change)
        isCounted = !change.isCut
        if job.state == .cancelled { tally.giveUp() }
    }

    mutating func found(_ part: ReplayCandidates) {
        candidates.append(contentsOf: part.sources)
        scannedTo = part.scannedTo
        isScanned = part.isLast
    }

    /// Whether more of the selection is to be looked at.
    var wantsCandidates: Bool { candidates.isEmpty && !isScanned && job.progress.made < job.limit }

    // MARK: Deciding

    /// Takes what is to be made now.
    mutating func next(at now: Duration) -> Part? {
        guard job.state == .running, isCounted, !isInDoubt else { return nil }
        if let restsUntil, now < restsUntil { return nil }
        let room = pace.allowance(at: now, open: tally.open.count)
        var part = Part(progress: job.progress)
        part.again = tally.takeAgain(room)
        var decided = 0
        while decided < Self.decidedAtOnce, part.progress.made < job.limit, let candidate = candidates.first {
            let refusal = ReplayRule.refusal(
                of: candidate.facts,
                edits: edits,
                isConfirmed: job.isConfirmed,
                isOneOfMany: true
            )
            if candidate.isMade {
                part.progress.made += 1
            } else if let refusal {
                part.progress.skipped[refusal.reason.rawValue, default: 0] += 1
            } else {
                guard part.again.count + part.new.count < room else { break }
                part.new.append(candidate.facts.id.rawValue)
                part.progress.made += 1
            }
            part.progress.cursor = candidate.facts.id.rawValue
            candidates.removeFirst()
            decided += 1
        }
        if candidates.isEmpty { part.progress.cursor = max(part.progress.cursor, scannedTo) }
        return part
    }

    /// All of a part is done, but for sources that turned out to be unfit (`skipped`, by id).
    mutating func done(_ part: Part, skipped: [Int64: ReplayRefusal.Reason]) {
        let made = part.again.count + part.new.count - skipped.count
        pace.spend(made)
        // Its rows were not seen yet.
        if made > 0 { isCounted = false }
        job.progress = part.progress
        for reason in skipped.values {
            job.progress.made -= 1
            job.progress.skipped[reason.rawValue, default: 0] += 1
        }
        trouble = nil
    }

    /// Some of a part may not be done: it is looked at again, once it is clear what has rows.
    mutating func failed(_ part: Part, _ problem: String?, at now: Duration) {
        tally.putBack(part.again)
        doubt(problem, at: now)
    }

    /// Something went wrong: what was found is found anew after a rest.
    mutating func doubt(_ problem: String?, at now: Duration) {
        isInDoubt = true
        candidates = []
        scannedTo = job.progress.cursor
        isScanned = false
        trouble = problem
        restsUntil = now + Self.rest
    }

    /// Whether it is time to find out what has rows.
    func mayClear(at now: Duration) -> Bool { isInDoubt && restsUntil.map { now >= $0 } ?? true }

    /// Everything that was handed over is written or refused; the rows are counted anew from the last one known.
    mutating func cleared() {
        isInDoubt = false
        isCounted = false
    }

    /// Holds off for a while without having tried.
    mutating func hold(_ problem: String, at now: Duration) {
        trouble = problem
        restsUntil = now + Self.rest
    }

    /// An operator put it in another state, with other fields where there are some.
    mutating func moved(to state: ReplayJob.State, edits: ReplayEdits? = nil) {
        job.state = state
        job.detail = nil
        if let edits {
            self.edits = edits
            job.suppliedNames = edits.fields.map(\.name)
        }
        trouble = nil
        restsUntil = nil
        if state == .cancelled { tally.giveUp() }
    }

    /// Whether all that it would make is made and has ended, or it was cancelled and what it made has ended.
    var hasEnded: Bool {
        guard isCounted, !isInDoubt, tally.open.isEmpty else { return false }
        if job.state == .cancelled { return true }
        let isMade = job.progress.made >= job.limit || isScanned && candidates.isEmpty
        return isMade && tally.again.isEmpty
    }

    /// How soon to look again.
    var interval: Duration {
        switch job.state {
        case .running where trouble == nil: pace.interval
        case .running, .paused, .cancelled, .finished: .milliseconds(250)
        }
    }

    /// Whether nothing can have changed since it was looked at last, until an operator says so.
    var isAtRest: Bool { job.state == .paused && isCounted && !isInDoubt && tally.open.isEmpty }

    /// For operators.
    var report: ReplayReport {
        var job = job
        job.results = tally.results
        // After a restart rows are known sooner than the selection is looked through again up to them; just made ones later.
        let results = tally.results
        let known = results.completed + results.failed + results.interrupted + tally.open.count + tally.again.count
        job.progress.made = max(job.progress.made, known)
        if job.detail == nil { job.detail = trouble }
        return ReplayReport(
            job: job,
            // What is to be sent again waits too.
            waiting: tally.waiting + tally.again.count + job.progress.made - known,
            dispatched: tally.open.count - tally.waiting
        )
    }
}
