package import Core
import NIOCore

/// Who runs now, and what that leaves: the truth that a gateway's ledger is held against. Never gives more than there is.
struct AdmissionLedger {
    /// Why a task is not taken.
    enum Refusal: Error, Equatable {
        /// It needs more than is free, or no worker is.
        case busy
        case draining
        /// The server behind a sidecar cannot work yet.
        case notReady
    }

    enum Outcome {
        /// Its answer is whole.
        case completed
        /// The client left before.
        case cancelled
        /// It broke its answer off.
        case failed
    }

    let total: ResourceVector
    let workers: Int?
    /// What one task may need at most: with the nested form a worker's share.
    let largest: ResourceVector
    private(set) var isDraining = false
    var isReady = true
    private(set) var inUse = ResourceVector.zero
    private(set) var statistics = PodStatistics()
    private var lastChange: NIODeadline

    init(
        total: ResourceVector,
        workers: Int?,
        form: TaskPodConfiguration.CapacityForm,
        now: NIODeadline
    ) {
        self.total = total
        self.workers = workers
        largest = Self.share(of: total, workers: form == .nested ? workers : nil)
        lastChange = now
    }

    static func share(of total: ResourceVector, workers: Int?) -> ResourceVector {
        guard let workers, workers > 0 else { return total }
        let count = Int64(workers)
        return ResourceVector(cpus: total.cpus / count, gpus: total.gpus / count, memory: total.memory / count)
    }

    /// What a task could have now.
    var free: ResourceVector {
        guard isReady, !isDraining, idleWorkers != 0 else { return .zero }
        return total - inUse
    }

    var runsNothing: Bool { statistics.running == 0 }

    /// nil where workers are not counted.
    var idleWorkers: Int? {
        guard let workers else { return nil }
        return isReady && !isDraining ? max(0, workers - statistics.running) : 0
    }

    /// Takes a task, or counts it as refused.
    mutating func admit(_ needs: ResourceVector, now: NIODeadline) throws(Refusal) {
        do throws(Refusal) {
            if isDraining { throw .draining }
            if !isReady { throw .notReady }
            guard idleWorkers != 0, needs.fits(in: largest), needs.fits(in: total - inUse) else { throw .busy }
        } catch {
            statistics.refused += 1
            throw error
        }
        advance(to: now)
        inUse += needs
        statistics.accepted += 1
        statistics.running += 1
        if needs.gpus > 0 { statistics.gpuRequests += 1 }
        statistics.peak = statistics.peak.raised(to: inUse)
        statistics.peakRunning = max(statistics.peakRunning, statistics.running)
    }

    /// Gives back what ``admit(_:now:)`` took.
    mutating func release(_ needs: ResourceVector, as outcome: Outcome, now: NIODeadline) {
        advance(to: now)
        inUse -= needs
        statistics.running -= 1
        precondition(statistics.running >= 0, "a task was given back twice")
        switch outcome {
        case .completed: statistics.completed += 1
        case .cancelled: statistics.cancelled += 1
        case .failed: statistics.failed += 1
        }
    }

    mutating func drain() { isDraining = true }

    /// The counts up to now.
    mutating func statistics(at now: NIODeadline) -> PodStatistics {
        advance(to: now)
        return statistics
    }

    private mutating func advance(to now: NIODeadline) {
        // Event loops take the time before the lock: the later of two may come first.
        guard now > lastChange else { return }
        statistics.gpuBusySeconds += Double(inUse.gpus) / 1000 * Double((now - lastChange).nanoseconds) / 1e9
        lastChange = now
    }
}

/// A pod's own account, to be held against the gateway's rows and the clients' answers.
package struct PodStatistics: Sendable, Equatable {
    /// Tasks taken; each is in one of ``completed``, ``cancelled``, ``failed`` or ``running``.
    package var accepted = 0
    /// Tasks answered 503 because there was no room, or while draining, or because the server behind was not ready.
    package var refused = 0
    package var completed = 0
    /// The client left before the whole answer was written.
    package var cancelled = 0
    /// The answer was broken off, as asked by `fail=` or by the server behind.
    package var failed = 0
    package var running = 0
    /// Of ``accepted``, those that needed a GPU.
    package var gpuRequests = 0
    /// The most of each resource that was in use at once.
    package var peak = ResourceVector.zero
    package var peakRunning = 0
    /// The integral of GPUs in use over time.
    package var gpuBusySeconds = 0.0

    package init() {}
}

/// The ids of the requests that ran here, in order, the latest of them.
struct RequestHistory {
    private let limit: Int
    private var ids: CircularBuffer<String> = []
    private var counts: [String: Int] = [:]
    /// How many were forgotten since the start.
    private(set) var forgotten = 0

    /// Longer ids are cut: they come from outside.
    static let longestID = 64

    init(limit: Int) { self.limit = limit }

    /// In the order in which they began; one that ran twice is there twice.
    var all: CircularBuffer<String> { ids }

    /// Those of them that ran more than once.
    var repeated: [String: Int] { counts.filter { $0.value > 1 } }

    mutating func record(_ id: String) {
        guard limit > 0 else { return }
        let id = id.utf8.count <= Self.longestID ? id : String(id.prefix(Self.longestID))
        if ids.count == limit, let oldest = ids.popFirst() {
            forgotten += 1
            if let count = counts[oldest], count > 1 { counts[oldest] = count - 1 } else { counts[oldest] = nil }
        }
        ids.append(id)
        counts[id, default: 0] += 1
    }
}
