import NIOConcurrencyHelpers

/// A value that a test can wait for: changed on any thread, awaited until it is as it should be.
final class Watched<State: Sendable>: Sendable {
    private typealias Waiter = @Sendable (inout State) -> (@Sendable () -> Void)?

    private struct Box: Sendable {
        var state: State
        var waiters: [Waiter] = []
    }

    private let box: NIOLockedValueBox<Box>

    init(_ state: State) {
        box = NIOLockedValueBox(Box(state: state))
    }

    var now: State { box.withLockedValue { $0.state } }

    func update(_ change: (inout State) -> Void) {
        let resumptions = box.withLockedValue { box in
            change(&box.state)
            var resumptions: [@Sendable () -> Void] = []
            let waiters = box.waiters
            box.waiters = []
            for waiter in waiters {
                if let resumption = waiter(&box.state) {
                    resumptions.append(resumption)
                } else {
                    box.waiters.append(waiter)
                }
            }
            return resumptions
        }
        for resume in resumptions { resume() }
    }

    /// Waits until `look` finds something; it may remove it from the state.
    @discardableResult
    func take<Found: Sendable>(_ look: @escaping @Sendable (inout State) -> Found?) async -> Found {
        await withCheckedContinuation { (continuation: CheckedContinuation<Found, Never>) in
            let waiter: Waiter = { state in
                guard let found = look(&state) else { return nil }
                return { continuation.resume(returning: found) }
            }
            let resume: (@Sendable () -> Void)? = box.withLockedValue { box in
                let resume = waiter(&box.state)
                if resume == nil { box.waiters.append(waiter) }
                return resume
            }
            resume?()
        }
    }
}
