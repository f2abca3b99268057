/// Something small to be done on the writer's thread with its connection.
struct WriterJob: Sendable {
    /// What is to be done.
    enum Work: Sendable {
        /// In a transaction of its own.
        case transaction(@Sendable (SQLiteConnection) throws -> Void)
        /// Between two transactions.
        case plain(@Sendable (SQLiteConnection) throws -> Void)
        /// On the thread alone: also while no database is open.
        case threadOnly(@Sendable () -> Void)
    }

    let work: Work
    /// Called once, on the writer's thread, when it is durable or has failed.
    let done: @Sendable ((any Error)?) -> Void
}

extension WriterBuffer {
    /// Runs `body` on the writer's thread, in a transaction, and returns when that is durable.
    /// - Parameter committed: Called on the writer's thread before this returns, in the order of the commits; not where it failed.
    func perform(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Void,
        committed: @escaping @Sendable () -> Void = {}
    ) async throws {
        try await perform(.transaction(body), committed: committed)
    }

    /// Does work on the writer's thread, and returns when it is done.
    func perform(_ work: WriterJob.Work, committed: @escaping @Sendable () -> Void = {}) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let job = WriterJob(work: work) { error in
                guard let error else {
                    committed()
                    return continuation.resume()
                }
                continuation.resume(throwing: error)
            }
            if !run(job) {
                continuation.resume(throwing: QueueError(.closed, "the queue is closed"))
            }
        }
    }
}
