import Core

/// The idle workers of a pod that lists them: those that its last sample named, less those that requests took since, and those that
/// requests gave back. A request takes one whole.
///
/// Which of its workers the pod gave a request is its secret. Where they differ, one that gets free is known only to be as large as
/// that request at least.
struct IdleWorkers {
    struct Worker {
        var size: ResourceVector
        /// It may be larger than ``size``.
        var isLeast: Bool
    }

    /// Smallest first.
    private var workers: [Worker] = []
    /// The least box around all workers that were ever listed as idle.
    private(set) var largestEver = ResourceVector.zero
    /// Whether all that were ever listed were of one size.
    private(set) var areAlike = true

    var count: Int { workers.count }

    /// The least box around the idle ones.
    var box: ResourceVector { workers.reduce(.zero) { $0.raised(to: $1.size) } }

    /// Begins anew with what a sample says.
    mutating func list(_ listed: [CapacityReport.Worker]) {
        workers.removeAll(keepingCapacity: true)
        for worker in listed where worker.isIdle {
            if largestEver != .zero, worker.available != largestEver { areAlike = false }
            largestEver = largestEver.raised(to: worker.available)
            workers.append(Worker(size: worker.available, isLeast: false))
        }
        workers.sort { Self.isSmaller($0.size, $1.size) }
    }

    /// Whether a request would get a worker, so that one remains for `reserved` if one was idle for it.
    func fits(_ needs: ResourceVector, besides reserved: ResourceVector?) -> Bool {
        guard let index = smallest(for: needs) else { return false }
        guard let reserved, reserved.fits(in: workers[index].size) else { return true }
        return workers.indices.contains { $0 != index && reserved.fits(in: workers[$0].size) }
    }

    /// Takes the worker that a request has: the smallest that it fits on. Where it seems to fit on none, it may have one that is larger
    /// than is known, and the largest of those is taken.
    /// - Returns: nil where there is neither.
    mutating func take(for needs: ResourceVector) -> Worker? {
        guard let index = smallest(for: needs) ?? workers.lastIndex(where: \.isLeast) else { return nil }
        return workers.remove(at: index)
    }

    mutating func insert(_ worker: Worker) {
        let index = workers.firstIndex { Self.isSmaller(worker.size, $0.size) } ?? workers.endIndex
        workers.insert(worker, at: index)
    }

    /// What is known of the worker that a request had.
    func worker(of needs: ResourceVector) -> Worker {
        if areAlike, largestEver != .zero { return Worker(size: largestEver, isLeast: false) }
        return Worker(size: needs, isLeast: true)
    }

    private func smallest(for needs: ResourceVector) -> Int? {
        workers.firstIndex { needs.fits(in: $0.size) }
    }

    /// GPUs are the scarcest.
    private static func isSmaller(_ left: ResourceVector, _ right: ResourceVector) -> Bool {
        (left.gpus, left.cpus, left.memory) < (right.gpus, right.cpus, right.memory)
    }
}
