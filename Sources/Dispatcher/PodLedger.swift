import Core
import DequeModule
import NIOCore

/// What one pod has free, as far as we can know it: its last capacity sample, corrected by our own leases.
///
/// A sample describes some moment between the sending of its poll and its return, so for every lease it is decided whether the sample
/// has it in it: surely (its request was written well before the poll was sent), surely not (it was placed after the sample came), or
/// perhaps. What is uncertain counts against us, and ``mayHaveMore`` then says that a poll could show more than this.
struct PodLedger {
    /// Needs that were placed on the pod and whose attempt has not ended.
    private struct Lease {
        var ticket: Ticket
        var needs: ResourceVector
        /// The worker that it took from ``workers``, while ``isDeducted``.
        var worker: IdleWorkers.Worker?
        var writtenAt: NIODeadline?
        /// It is taken off what the sample said; not so once a sample surely had it in it.
        var isDeducted: Bool
        var isOpen: Bool
    }

    /// A lease that ended by a whole answer, kept until no later sample can have been sent before its end.
    private struct Ended {
        var needs: ResourceVector
        var writtenAt: NIODeadline?
        var endedAt: NIODeadline
    }

    /// A lease that ended otherwise: the pod may still be computing, so it stays until a poll that was sent afterwards.
    private struct Lost {
        var needs: ResourceVector
        var writtenAt: NIODeadline?
        var endedAt: NIODeadline
    }

    /// How a lease ends.
    enum End {
        /// By a whole answer: the pod is done with it.
        case whole
        /// The pod never saw a byte of it.
        case unsent
        /// Any other way.
        case lost
    }

    /// More ended leases than this are not remembered; a sample that was sent before the forgotten ones shows less than is free.
    static let endedBound = 1024

    private let settlingTime: TimeAmount
    private let answerTransit: TimeAmount

    /// When the poll of the last sample was sent, and when it came back.
    private(set) var sentAt: NIODeadline?
    private(set) var receivedAt: NIODeadline?
    /// What the pod says that it has in all.
    private(set) var reportedTotal: ResourceVector?
    /// The most that was ever seen of it: available and our leases that were in the sample.
    private(set) var largestSeen = ResourceVector.zero
    private(set) var totalWorkers: Int?
    /// All needs of open and lost leases, and their number.
    private(set) var held = ResourceVector.zero
    private(set) var heldCount = 0
    private(set) var openCount = 0
    /// Whether a poll now could show more free than ``free`` says.
    private(set) var mayHaveMore = false
    /// Whether the pod lists its workers: then a lease takes one whole, and nothing else counts.
    private(set) var listsWorkers = false

    private var available = ResourceVector.zero
    private var idleCount: Int?
    private var largestIdleCount = 0
    /// Where ``listsWorkers``.
    private var workers = IdleWorkers()

    private var leases: [Lease] = []
    private var vacant: [Int32] = []
    private var lost: [Lost] = []
    private var ended = Deque<Ended>()
    private var forgottenAt: NIODeadline?
    /// By its samples, nobody else uses the pod.
    private(set) var isAlone = false
    /// What the last sample said, as it said it.
    private var sampled: (available: ResourceVector, idle: Int?) = (.zero, nil)

    /// - Parameters:
    ///   - settlingTime: For how long after its last byte was written a request may not have reached the pod.
    ///   - answerTransit: For how long after the pod is done with a request its answer's end may be on the way.
    init(
        settlingTime: TimeAmount = .milliseconds(20),
        answerTransit: TimeAmount = .milliseconds(5)
    ) {
        self.settlingTime = settlingTime
        self.answerTransit = answerTransit
    }

    /// What it has in all: its word, else the most that was seen.
    var total: ResourceVector { reportedTotal ?? largestSeen }

    /// The most that one request can ever get of it.
    var largestRequest: ResourceVector {
        listsWorkers && workers.largestEver != .zero ? workers.largestEver : total
    }

    /// What is free now; where the pod lists workers, the least box around the idle ones. May be negative.
    var free: ResourceVector {
        listsWorkers ? workers.box : available.capped(by: total - held)
    }

    /// Idle workers; nil where the pod does not count them, and then it takes as many requests as its resources suffice for.
    var idle: Int? {
        guard let count = listsWorkers ? workers.count : idleCount else { return nil }
        return min(count, (totalWorkers ?? largestIdleCount) - heldCount)
    }

    /// Whether a request could be placed now.
    /// - Parameter reserved: The needs of another request, which must not be put off by this one: only what those leave may be used.
    func fits(_ needs: ResourceVector, besides reserved: ResourceVector? = nil) -> Bool {
        guard idle ?? .max > 0 else { return false }
        if listsWorkers { return workers.fits(needs, besides: reserved) }
        let free = free
        guard needs.fits(in: free) else { return false }
        guard let reserved else { return true }
        return needs.fits(in: free, besides: reserved) && idle ?? .max > 1
    }

    /// How much of the pod is in use, in millionths: the highest share over the dimensions, and over its workers.
    var utilization: Int64 {
        var highest: Int64 = 0
        if !listsWorkers {
            let total = total
            let used = total - free
            if total.cpus > 0 { highest = max(highest, used.cpus * 1_000_000 / total.cpus) }
            if total.gpus > 0 { highest = max(highest, used.gpus * 1_000_000 / total.gpus) }
            if total.memory > 0 { highest = max(highest, used.memory * 1_000_000 / total.memory) }
        }
        if let totalWorkers, totalWorkers > 0, let idle {
            highest = max(highest, Int64(totalWorkers - idle) * 1_000_000 / Int64(totalWorkers))
        }
        return highest
    }

    /// The tickets of all open leases.
    var tickets: [Ticket] { leases.compactMap { $0.isOpen ? $0.ticket : nil } }

    // MARK: Leases

    /// Places a request that ``fits(_:besides:)``.
    /// - Returns: The lease's index, for the calls below.
    mutating func open(_ needs: ResourceVector, ticket: Ticket) -> Int32 {
        let lease = Lease(
            ticket: ticket,
            needs: needs,
            worker: deduct(needs),
            writtenAt: nil,
            isDeducted: true,
            isOpen: true
        )
        held += needs
        heldCount += 1
        openCount += 1
        if let index = vacant.popLast() {
            leases[Int(index)] = lease
            return index
        }
        leases.append(lease)
        return Int32(leases.count - 1)
    }

    /// The last byte of its request was written.
    mutating func written(_ lease: Int32, at time: NIODeadline) {
        leases[Int(lease)].writtenAt = time
    }

    /// Ends a lease.
    mutating func close(_ index: Int32, _ end: End, now: NIODeadline) {
        let lease = leases[Int(index)]
        leases[Int(index)].isOpen = false
        vacant.append(index)
        openCount -= 1
        if end == .lost {
            // Stays in `held`, and deducted if it was, until a later poll.
            lost.append(Lost(needs: lease.needs, writtenAt: lease.writtenAt, endedAt: now))
            mayHaveMore = true
            return
        }
        held -= lease.needs
        heldCount -= 1
        if lease.isDeducted {
            giveBack(lease, end)
            // The sample may have had it in it, and then has it still.
            if let writtenAt = lease.writtenAt, let receivedAt, writtenAt < receivedAt { mayHaveMore = true }
        } else if wasIncluded(endedAt: now) {
            returnSeen(lease.needs)
        } else {
            mayHaveMore = true
        }
        if end == .whole { remember(Ended(needs: lease.needs, writtenAt: lease.writtenAt, endedAt: now)) }
    }

    // MARK: Samples

    /// Enters a sample.
    /// - Returns: False where it is older than the last one, and was left aside.
    mutating func sampled(_ report: CapacityReport, sentAt: NIODeadline, receivedAt: NIODeadline) -> Bool {
        if let last = self.sentAt, sentAt <= last { return false }
        lookBack()
        self.sentAt = sentAt
        self.receivedAt = receivedAt
        reportedTotal = report.total
        available = report.available
        idleCount = report.idleWorkers
        totalWorkers = report.totalWorkers ?? report.workers?.count
        listsWorkers = report.workers != nil
        if let listed = report.workers { workers.list(listed) }
        mayHaveMore = false

        for index in leases.indices where leases[index].isOpen {
            leases[index].worker = nil
            leases[index].isDeducted = !wasSeen(leases[index].writtenAt, sentAt)
        }
        settleLost()
        compare(report)
        // What is given back comes first: a worker of it may be what another lease has taken since.
        for lease in ended {
            if wasSeen(lease.writtenAt, sentAt), wasIncluded(endedAt: lease.endedAt) {
                returnSeen(lease.needs)
            } else if lease.endedAt + settlingTime > sentAt {
                mayHaveMore = true
            }
        }
        for index in leases.indices where leases[index].isOpen && leases[index].isDeducted {
            leases[index].worker = deduct(leases[index].needs)
        }
        for index in lost.indices {
            if !wasSeen(lost[index].writtenAt, sentAt) { _ = deduct(lost[index].needs) }
            mayHaveMore = true
        }
        if let forgottenAt, forgottenAt > sentAt { mayHaveMore = true }
        let settlingTime = settlingTime
        ended.removeAll { $0.endedAt + settlingTime <= sentAt }
        return true
    }
}

extension ResourceVector {
    /// Whether this amount leaves `reserved` of what is free untouched, in every dimension that it takes anything of.
    @inline(__always)
    func fits(in free: ResourceVector, besides reserved: ResourceVector) -> Bool {
        (cpus == 0 || cpus <= free.cpus - reserved.cpus) && (gpus == 0 || gpus <= free.gpus - reserved.gpus)
            && (memory == 0 || memory <= free.memory - reserved.memory)
    }
}

extension PodLedger {
    private func wasSeen(_ writtenAt: NIODeadline?, _ sentAt: NIODeadline) -> Bool {
        guard let writtenAt else { return false }
        return writtenAt + settlingTime <= sentAt
    }

    /// Whether a lease that the last sample can have had in it, and that ended then, is to be given back. The pod may have been done with
    /// it before the sample, while the end of its answer was on the way: then the sample says so already. Where the pod is ours
    /// alone that does no harm, since no more than its totals less what is leased counts as free; that says nothing about which of
    /// its workers is idle, where they differ.
    private func wasIncluded(endedAt: NIODeadline) -> Bool {
        guard let receivedAt, endedAt > receivedAt else { return false }
        return endedAt > receivedAt + answerTransit || (isAlone && (!listsWorkers || workers.areAlike))
    }

    /// Holds the sample against all of ours that may have run when it was taken: if it shows more in use, others use the pod too.
    private mutating func compare(_ report: CapacityReport) {
        sampled = (report.available, report.workers?.count(where: \.isIdle) ?? report.idleWorkers)
        raiseLargest(to: .zero, 0)
        var ours = held
        var count = heldCount
        for lease in ended where lease.endedAt + settlingTime > sentAt ?? lease.endedAt {
            ours += lease.needs
            count += 1
        }
        if !isUsed(atMost: ours, count) { isAlone = false }
    }

    /// Looks back at the last sample once it is known which answers can have been on the way when it was taken: those leases that
    /// were surely running then are part of the pod, and if they were all that it showed in use, nobody else uses it.
    private mutating func lookBack() {
        guard let sentAt, let receivedAt else { return }
        var ours = ResourceVector.zero
        var count = 0
        for lease in leases where lease.isOpen && !lease.isDeducted {
            ours += lease.needs
            count += 1
        }
        for lease in ended where lease.endedAt > receivedAt + answerTransit && wasSeen(lease.writtenAt, sentAt) {
            ours += lease.needs
            count += 1
        }
        raiseLargest(to: ours, count)
        if isUsed(atMost: ours, count) { isAlone = true }
    }

    /// Whether the last sample shows no more in use than this.
    private func isUsed(atMost ours: ResourceVector, _ count: Int) -> Bool {
        let idleEnough = sampled.idle.map { (totalWorkers ?? largestIdleCount) - $0 <= count } ?? true
        return idleEnough && (listsWorkers || (total - sampled.available).fits(in: ours))
    }

    private mutating func raiseLargest(to running: ResourceVector, _ runningCount: Int) {
        largestSeen = largestSeen.raised(to: sampled.available + running)
        largestIdleCount = max(largestIdleCount, (sampled.idle ?? 0) + runningCount)
    }

    /// Takes a lease off what is free; the worker that it takes, where they are listed and there is one.
    private mutating func deduct(_ needs: ResourceVector) -> IdleWorkers.Worker? {
        available -= needs
        if let count = idleCount { idleCount = count - 1 }
        return listsWorkers ? workers.take(for: needs) : nil
    }

    /// Undoes ``deduct(_:)``.
    private mutating func giveBack(_ lease: Lease, _ end: End) {
        available += lease.needs
        if let count = idleCount { idleCount = count + 1 }
        guard let worker = lease.worker else { return }
        if end == .unsent { return workers.insert(worker) }
        returnWorker(of: lease.needs)
    }

    /// Adds a lease that the sample had in it and that has ended since.
    private mutating func returnSeen(_ needs: ResourceVector) {
        available += needs
        if let count = idleCount { idleCount = count + 1 }
        if listsWorkers { returnWorker(of: needs) }
    }

    private mutating func returnWorker(of needs: ResourceVector) {
        let worker = workers.worker(of: needs)
        if worker.isLeast { mayHaveMore = true }
        workers.insert(worker)
    }

    private mutating func remember(_ lease: Ended) {
        if ended.count == Self.endedBound, let oldest = ended.popFirst() { forgottenAt = oldest.endedAt }
        ended.append(lease)
    }

    /// Lets go of the lost leases that ended before the last poll was sent.
    private mutating func settleLost() {
        guard let sentAt else { return }
        for index in lost.indices.reversed() {
            let lease = lost[index]
            guard lease.endedAt < sentAt, lease.writtenAt == nil || wasSeen(lease.writtenAt, sentAt) else { continue }
            held -= lease.needs
            heldCount -= 1
            lost.remove(at: index)
            // The pod may go on with it all the same, and it is then as if it were another's.
            isAlone = false
        }
    }
}
