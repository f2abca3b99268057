import NIOConcurrencyHelpers

/// How long something may go on without a step: an answer whose reader has stopped reading holds what it is made from for as long.
struct StallLimit<Time: Clock<Duration>>: Sendable {
    /// Without a step for so long, and twice as long at most, it is ended.
    let patience: Duration
    let clock: Time

    /// Nothing was taken for ``patience``.
    struct Stalled: Error {}

    /// Runs `work`, which calls `stepped` after each step. It is cancelled where that call does not come.
    /// - Throws: ``Stalled`` then, else what `work` throws.
    func run(_ work: @escaping @Sendable (_ stepped: @escaping @Sendable () -> Void) async throws -> Void) async throws
    {
        let steps = NIOLockedValueBox(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await work { steps.withLockedValue { $0 += 1 } } }
            group.addTask { [patience, clock] in
                var seen = -1
                while true {
                    let taken = steps.withLockedValue { $0 }
                    guard taken != seen else { throw Stalled() }
                    seen = taken
                    try await clock.sleep(for: patience)
                }
            }
            try await group.next()
        }
    }
}
