import Logging
import NIOConcurrencyHelpers
import Synchronization

/// Whether rows can be written, asked for every request and changed rarely.
final class StorageHealth: Sendable {
    private struct State {
        /// The last commit or probe failed.
        var writing: StorageProblem?
        /// The WAL is over its bound.
        var behind: StorageProblem?
        var isClosed = false

        var problem: StorageProblem? {
            isClosed ? StorageProblem(.closed, "the queue is closed") : writing ?? behind
        }
    }

    private let state = NIOLockedValueBox(State())
    /// Whether there is a problem: what the hot path looks at.
    private let isTroubled = Atomic<Bool>(false)
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    var problem: StorageProblem? {
        guard isTroubled.load(ordering: .relaxed) else { return nil }
        return state.withLockedValue { $0.problem }
    }

    /// Whether the last commit or probe failed.
    var isWritingBroken: Bool {
        guard isTroubled.load(ordering: .relaxed) else { return false }
        return state.withLockedValue { $0.writing != nil }
    }

    /// What the last commit came to; told in the log once a change.
    func wrote(_ problem: StorageProblem?) {
        guard problem != nil || isTroubled.load(ordering: .relaxed) else { return }
        let before = change { state in
            defer { state.writing = problem }
            return state.writing
        }
        if let problem, before == nil {
            logger.error("The queue cannot write; requests are refused until it can", metadata: ["cause": "\(problem)"])
        } else if problem == nil, before != nil {
            logger.notice("The queue can write again")
        }
    }

    /// Whether the WAL is over its bound.
    func isBehind(_ problem: StorageProblem?) {
        guard problem != nil || isTroubled.load(ordering: .relaxed) else { return }
        let before = change { state in
            defer { state.behind = problem }
            return state.behind
        }
        if let problem, before == nil {
            logger.error(
                "Checkpoints do not keep up; requests are refused until they do",
                metadata: ["cause": "\(problem)"]
            )
        } else if problem == nil, before != nil {
            logger.notice("Checkpoints keep up again")
        }
    }

    func close() {
        change { $0.isClosed = true }
    }

    @discardableResult
    private func change<Result>(_ body: (inout State) -> Result) -> Result {
        state.withLockedValue { state in
            let result = body(&state)
            isTroubled.store(state.problem != nil, ordering: .relaxed)
            return result
        }
    }
}
