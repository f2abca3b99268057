import NIOConcurrencyHelpers
import Synchronization

/// Counts the requests whose end is still to be handed to the journal, so that this is not closed before: between a client's leaving and
/// its outcome lie two hops between event loops. Replays count from their dispatch on: one that waits has no end in a drain.
final class UnendedRequests: Sendable {
    private let count = Atomic<Int>(0)
    private let isAwaited = Atomic<Bool>(false)
    private let waiters = NIOLockedValueBox<[CheckedContinuation<Void, Never>]>([])

    func enter() { count.add(1, ordering: .relaxed) }

    func leave() {
        let left = count.subtract(1, ordering: .sequentiallyConsistent).newValue
        assert(left >= 0, "a request ends once")
        if left == 0, isAwaited.load(ordering: .sequentiallyConsistent) { tellWaiters() }
    }

    /// Returns when there is none, or the time has passed.
    /// - Returns: How many there are then.
    func none(within time: Duration, clock: some Clock<Duration>) async -> Int {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait() }
            group.addTask { try? await clock.sleep(for: time) }
            await group.next()
            group.cancelAll()
            tellWaiters()
        }
        return count.load(ordering: .sequentiallyConsistent)
    }

    private func wait() async {
        await withCheckedContinuation { continuation in
            waiters.withLockedValue { $0.append(continuation) }
            isAwaited.store(true, ordering: .sequentiallyConsistent)
            if Task.isCancelled || count.load(ordering: .sequentiallyConsistent) == 0 { tellWaiters() }
        }
    }

    private func tellWaiters() {
        let told = waiters.withLockedValue { waiters in
            defer { waiters = [] }
            return waiters
        }
        for waiter in told { waiter.resume() }
    }
}
