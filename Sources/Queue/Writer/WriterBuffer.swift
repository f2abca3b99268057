import Core
import NIOCore

/// A request's row, or a later dispatch, on its way to the writer.
struct PendingRow {
    let request: QueuedRequest
    let pod: Pod?
    /// 0 for the request itself, else the dispatch's number.
    let number: Int
    let milliseconds: Int64
    let receiver: any CommitReceiver
    let eventLoop: any EventLoop
}

/// An outcome on its way to the writer.
struct PendingOutcome {
    let outcome: Outcome
    let milliseconds: Int64
}

/// A rejection on its way to the writer.
struct PendingRejection {
    let rejection: Rejection
    let id: RequestID
    let milliseconds: Int64
}

/// What the writer takes at once.
struct WriterBatch {
    var rows: [PendingRow] = []
    var outcomes: [PendingOutcome] = []
    var rejections: [PendingRejection] = []
    var jobs: [WriterJob] = []
    /// Bodies whose requests got no row.
    var discarded: [SpooledBody] = []
    /// Nothing comes after this.
    var isLast = false
}

/// Where everybody hands over and the writer takes: a lock around a few arrays. Ids are given here, so they are in the order of the rows.
///
/// At most `limit` rows wait; one more is answered with a failed commit. Outcomes are as many as requests are under way, which
/// the dispatcher bounds. Rejections are at most `rejectionsPerSecond`.
final class WriterBuffer: @unchecked Sendable {
    // `@unchecked`: all that changes is touched with `lock` held only.

    /// Outcomes that do not wait for company.
    static let outcomesAtOnce = 64
    /// How long an outcome waits for company, in nanoseconds.
    static let outcomeDelay: Int64 = 5_000_000
    /// Rows that go without the outcomes at hand: they are told sooner, and outcomes cost less together. Fewer take them along, since a
    /// transaction of their own would cost more.
    static let crowd = 5

    private let limit: Int
    private let rejectionsPerSecond: Int
    private let lock = ThreadLock()
    private var waiting = WriterBatch()
    private var ids: RequestIDGenerator
    private var isClosed = false
    /// When the first of `waiting.outcomes` or `waiting.rejections` came, by the monotonic clock.
    private var lazySince: Int64 = 0
    /// Until when the writer sleeps; nil while it is awake.
    private var asleepUntil: Int64?
    private var rejectionSecond: Int64 = 0
    private var rejectionsLeft = 0
    private var rejectionsSkipped = 0
    /// The largest id whose row may be missing; see ``lastUnwritten``.
    private var lastUnwrittenID: Int64 = 0

    private let now: @Sendable () -> Int64

    /// - Parameter now: For how long outcomes have waited; by the monotonic clock, in nanoseconds.
    init(
        ids: RequestIDGenerator,
        limit: Int,
        rejectionsPerSecond: Int,
        now: @escaping @Sendable () -> Int64 = { monotonicNanoseconds() }
    ) {
        self.now = now
        self.ids = ids
        self.limit = limit
        self.rejectionsPerSecond = rejectionsPerSecond
    }

    // MARK: Handing over, from any thread

    func insert(_ request: QueuedRequest, pod: Pod?, receiver: any CommitReceiver) {
        let eventLoop = receiver.eventLoop
        lock.lock()
        let milliseconds = wallClockMilliseconds()
        let id = ids.next(milliseconds: milliseconds)
        request.stamp(QueuedRequest.Stamp(id: id, milliseconds: milliseconds))
        let row = PendingRow(
            request: request,
            pod: pod,
            number: 0,
            milliseconds: milliseconds,
            receiver: receiver,
            eventLoop: eventLoop
        )
        let refusal = accept(row)
        if refusal != nil {
            lastUnwrittenID = id.rawValue
            if case .spooled(let body) = request.body { waiting.discarded.append(body) }
        }
        lock.unlock()
        if let refusal { Self.refuse(row, refusal) }
    }

    func attempt(_ request: QueuedRequest, number: Int, pod: Pod, receiver: any CommitReceiver) {
        let eventLoop = receiver.eventLoop
        lock.lock()
        let row = PendingRow(
            request: request,
            pod: pod,
            number: number,
            milliseconds: wallClockMilliseconds(),
            receiver: receiver,
            eventLoop: eventLoop
        )
        let refusal = accept(row)
        lock.unlock()
        if let refusal { Self.refuse(row, refusal) }
    }

    /// - Returns: False where it came after the end.
    func end(_ outcome: Outcome) -> Bool {
        let milliseconds = wallClockMilliseconds()
        return lock.withLock {
            guard !isClosed else { return false }
            noteLazy()
            waiting.outcomes.append(PendingOutcome(outcome: outcome, milliseconds: milliseconds))
            wakeForLazy()
            return true
        }
    }

    /// - Returns: Its id, whether or not it gets a row.
    func reject(_ rejection: Rejection) -> RequestID {
        let milliseconds = wallClockMilliseconds()
        return lock.withLock {
            let id = ids.next(milliseconds: milliseconds)
            guard !isClosed else { return id }
            if rejectionSecond != milliseconds / 1000 {
                rejectionSecond = milliseconds / 1000
                rejectionsLeft = rejectionsPerSecond
            }
            guard rejectionsLeft > 0 else {
                rejectionsSkipped += 1
                return id
            }
            rejectionsLeft -= 1
            noteLazy()
            waiting.rejections.append(PendingRejection(rejection: rejection, id: id, milliseconds: milliseconds))
            wakeForLazy()
            return id
        }
    }

    func newID() -> RequestID {
        let milliseconds = wallClockMilliseconds()
        return lock.withLock { ids.next(milliseconds: milliseconds) }
    }

    /// The ids that are given from now on are larger than one that is in the database.
    func idsGoOn(after id: Int64) {
        lock.withLock { ids.goOn(after: id) }
    }

    /// Has the writer remove a body with its next turn, unless a row names its file.
    func discard(_ body: SpooledBody) {
        lock.withLock { waiting.discarded.append(body) }
    }

    /// Hands over a function to be run on the writer's thread, between two commits.
    /// - Returns: False where it came after the end.
    func run(_ job: WriterJob) -> Bool {
        lock.withLock {
            guard !isClosed else { return false }
            waiting.jobs.append(job)
            wake()
            return true
        }
    }

    /// Nothing is taken any more; what waits is still written.
    func close() {
        lock.withLock {
            isClosed = true
            wake()
        }
    }

    // MARK: Taking, from the writer's thread

    /// Waits until there is something to write, or the time has come, and takes it: all, but for outcomes and rejections that may wait
    /// while there are rows enough for a transaction.
    /// - Parameters:
    ///   - batch: Empty; its arrays' memory is used again.
    ///   - deadline: By the monotonic clock.
    ///   - isBusy: Rows were written just now, so outcomes will come soon: sleeps no longer than they may wait, and they need not
    ///     wake it.
    ///   - isBroken: The last commit failed: outcomes alone are no reason to try again before the deadline.
    func take(_ batch: inout WriterBatch, until deadline: Int64, isBusy: Bool, isBroken: Bool) {
        let quietFrom = isBusy ? monotonicNanoseconds() + Self.outcomeDelay : 0
        lock.lock()
        defer { lock.unlock() }
        while !isClosed, waiting.rows.isEmpty, waiting.jobs.isEmpty {
            var due = deadline
            let lazy = waiting.outcomes.count + waiting.rejections.count
            if lazy > 0, !isBroken {
                guard lazy < Self.outcomesAtOnce else { break }
                due = min(deadline, lazySince + Self.outcomeDelay)
            }
            let now = monotonicNanoseconds()
            guard now < due else { break }
            let wakeAt = now < quietFrom ? min(due, quietFrom) : due
            asleepUntil = wakeAt
            lock.wait(until: wakeAt)
            asleepUntil = nil
        }
        if waiting.rows.count >= Self.crowd, waiting.jobs.isEmpty, !isClosed, !isBroken, !isLazyDue {
            swap(&waiting.rows, &batch.rows)
            swap(&waiting.discarded, &batch.discarded)
        } else {
            swap(&waiting, &batch)
        }
        batch.isLast = isClosed
    }

    /// Whether the outcomes and rejections at hand have company enough, or waited long enough for it.
    private var isLazyDue: Bool {
        waiting.outcomes.count + waiting.rejections.count >= Self.outcomesAtOnce
            || now() >= lazySince + Self.outcomeDelay
    }

    /// What waits, for metrics.
    var depth: (rows: Int, outcomes: Int, rejectionsSkipped: Int) {
        lock.withLock { (waiting.rows.count, waiting.outcomes.count, rejectionsSkipped) }
    }

    /// The largest id whose row may be missing, since its commit failed or it was refused here; 0 for none. What is written about
    /// ids up to this one asks first whether there is a row.
    var lastUnwritten: Int64 {
        get { lock.withLock { lastUnwrittenID } }
        set { lock.withLock { lastUnwrittenID = max(lastUnwrittenID, newValue) } }
    }
}

extension WriterBuffer {
    /// Only with the lock held, as all below.
    private func accept(_ row: PendingRow) -> StorageProblem? {
        if isClosed { return StorageProblem(.closed, "the queue is closed") }
        guard waiting.rows.count < limit else {
            return StorageProblem(.behind, "\(limit) rows wait to be written")
        }
        waiting.rows.append(row)
        wake()
        return nil
    }

    private func wake() {
        guard asleepUntil != nil else { return }
        // Once is enough: whoever comes next sees it awake.
        asleepUntil = nil
        lock.signal()
    }

    private func noteLazy() {
        if waiting.outcomes.isEmpty, waiting.rejections.isEmpty { lazySince = now() }
    }

    private func wakeForLazy() {
        guard let asleepUntil else { return }
        let lazy = waiting.outcomes.count + waiting.rejections.count
        if lazy >= Self.outcomesAtOnce || asleepUntil > lazySince + Self.outcomeDelay { wake() }
    }

    private static func refuse(_ row: PendingRow, _ problem: StorageProblem) {
        var reports = CommitReports()
        reports.add(row, problem)
        reports.send()
    }
}
