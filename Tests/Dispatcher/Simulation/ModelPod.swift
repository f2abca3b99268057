import Core
import NIOCore

/// A pod as it really is, which the machine can only guess at from samples.
struct ModelPod {
    /// How it tells of its capacity.
    enum Form: CaseIterable {
        case available
        case withTotals
        case countedWorkers
        case listedWorkers
    }

    /// Our own lease as the model remembers it, to compute design §6's formula from the whole history.
    struct Lease {
        enum End {
            case whole
            case unsent
            case lost
        }

        var needs: ResourceVector
        var writtenAt: NIODeadline?
        var end: (how: End, at: NIODeadline)?
    }

    let pod: Pod
    let form: Form
    let total: ResourceVector
    /// Sizes of its workers, in a chain: each fits in the next.
    let workers: [ResourceVector]
    let hasTenants: Bool
    var isAlive = true
    var isListed = true
    /// Counts its restarts: what was running before is gone.
    var life = 0
    /// What others use of it.
    var tenants = ResourceVector.zero
    /// Attempts that it computes, with the worker that each has.
    var running: [Int: (needs: ResourceVector, worker: Int?)] = [:]
    /// Attempts on their way to it.
    var coming: [Int: ResourceVector] = [:]
    var leases: [Int: Lease] = [:]
    /// The sample that the machine decides by: its poll's times, what it said, and what others used then.
    var sample: (sentAt: NIODeadline, receivedAt: NIODeadline, available: ResourceVector, tenants: ResourceVector)?
    var interval: Int64 = 2_000_000
    var pollNumber = 0
    var lastPollAt: Int64 = -1_000_000
    var troubledAt: Int64 = 0
    /// For how long the reservation on it has been the same.
    var reserved: (head: UInt64, since: Int64)?

    init(pod: Pod, random: inout SeededGenerator) {
        self.pod = pod
        form = Form.allCases.randomElement(using: &random)!
        let gpus = random.chance(0.5) ? 0 : random.pick(1...4)
        total = .needs(random.pick(2...8), gpus: gpus, memory: random.pick(4...32))
        hasTenants = form != .listedWorkers && random.chance(0.3)
        switch form {
        case .countedWorkers:
            workers = Array(repeating: total, count: Int(random.pick(1...6)))
        case .listedWorkers:
            let small = ResourceVector(cpus: total.cpus / 2, gpus: total.gpus / 2, memory: total.memory / 2)
            let isMixed = random.chance(0.5)
            let smallOnes = isMixed ? Int(random.pick(0...3)) : 0
            workers =
                Array(repeating: small, count: smallOnes) + Array(repeating: total, count: Int(random.pick(1...3)))
        default:
            workers = []
        }
    }

    var isBusyWith: ResourceVector { running.values.reduce(.zero) { $0 + $1.needs } }

    /// The most that one request can get of it.
    var largest: ResourceVector { workers.isEmpty ? total : workers.reduce(.zero) { $0.raised(to: $1) } }

    /// What it could still take, on its way or not: nil where nothing more.
    func couldTake(_ needs: ResourceVector, tenants: ResourceVector) -> Bool {
        if form == .listedWorkers { return running.count + coming.count < workers.count && needs.fits(in: largest) }
        if form == .countedWorkers, running.count + coming.count >= workers.count { return false }
        let ours = isBusyWith + coming.values.reduce(.zero) { $0 + $1 }
        return needs.fits(in: total - tenants - ours)
    }

    /// A request has come in: it begins, or is refused as busy.
    mutating func admit(_ attempt: Int, _ needs: ResourceVector) -> Bool {
        switch form {
        case .available, .withTotals:
            guard needs.fits(in: total - tenants - isBusyWith) else { return false }
            running[attempt] = (needs, nil)
        case .countedWorkers:
            guard running.count < workers.count, needs.fits(in: total - tenants - isBusyWith) else { return false }
            running[attempt] = (needs, nil)
        case .listedWorkers:
            let taken = Set(running.values.compactMap(\.worker))
            let idle = workers.indices.filter { !taken.contains($0) && needs.fits(in: workers[$0]) }
            guard let worker = idle.min(by: { workers[$0].cpus < workers[$1].cpus }) else { return false }
            running[attempt] = (needs, worker)
        }
        return true
    }

    func report() -> CapacityReport {
        let available = total - tenants - isBusyWith
        switch form {
        case .available: return CapacityReport(available: available)
        case .withTotals: return CapacityReport(available: available, total: total)
        case .countedWorkers:
            return CapacityReport(
                available: available,
                total: total,
                idleWorkers: workers.count - running.count,
                totalWorkers: workers.count
            )
        case .listedWorkers:
            let taken = Set(running.values.compactMap(\.worker))
            return CapacityReport(
                available: .zero,
                total: total,
                workers: workers.indices.map {
                    CapacityReport.Worker(
                        available: taken.contains($0) ? .zero : workers[$0],
                        isIdle: !taken.contains($0)
                    )
                }
            )
        }
    }

    /// What is free by design §6, word by word, from the last sample and all leases: "the sample, less open leases whose last request
    /// byte was not written before s, plus leases written before s that ended after r; a lease that ended other than by a whole answer
    /// comes back only with a poll sent afterwards", and never more than the totals less what is leased.
    /// - Parameter transit: An end so soon after r does not count, since the pod may have been done before it said what is free.
    func knownFree(transit: TimeAmount) -> ResourceVector? {
        guard let sample, form == .withTotals || form == .countedWorkers else { return nil }
        var free = sample.available
        var held = ResourceVector.zero
        for lease in leases.values {
            let isSeen = lease.writtenAt.map { $0 + .milliseconds(20) <= sample.sentAt } ?? false
            switch lease.end {
            case nil:
                held += lease.needs
                if !isSeen { free -= lease.needs }
            case (.whole, let at)? where isSeen && at > sample.receivedAt + transit:
                free += lease.needs
            case (.lost, let at)? where !Self.isSettled(lease, at, sample.sentAt):
                held += lease.needs
                if !isSeen { free -= lease.needs }
            default:
                break
            }
        }
        return free.capped(by: total - held)
    }

    /// The least that others used when the last sample was taken, as far as it showed: what was in use, less all of ours that may
    /// have run then.
    func tenantsShown() -> ResourceVector? {
        guard let sample else { return nil }
        var shown = total - sample.available
        for lease in leases.values where lease.end.map({ $0.at + .milliseconds(20) > sample.sentAt }) ?? true {
            shown -= lease.needs
        }
        return shown.raised(to: .zero)
    }

    static func isSettled(_ lease: Lease, _ endedAt: NIODeadline, _ sentAt: NIODeadline) -> Bool {
        endedAt < sentAt && (lease.writtenAt.map { $0 + .milliseconds(20) <= sentAt } ?? true)
    }

    /// Forgets the leases that can no longer count.
    mutating func prune() {
        guard let sample else { return }
        leases = leases.filter { _, lease in
            guard let end = lease.end else { return true }
            switch end.how {
            case .unsent: return false
            case .whole: return end.at + .milliseconds(20) > sample.sentAt
            case .lost: return !Self.isSettled(lease, end.at, sample.sentAt)
            }
        }
    }
}
