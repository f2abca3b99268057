/// Something small to be done on the writer's thread with its connection.
struct WriterJob: Sendable {
    /// Whether it is done in a transaction of its own.
    var hasTransaction = true
    /// Runs it.
    let run: @Sendable (SQLiteConnection) throws -> Void
    /// Called once, on the writer's thread, when it is durable or has failed.
    let done: @Sendable ((any Error)?) -> Void
}

extension WriterBuffer {
    /// Runs `body` on the writer's thread, in a transaction unless it wants none, and returns when that is durable.
    /// - Parameter committed: Called on the writer's thread before this returns, in the order of the commits; not where it failed.
    func perform(
        inTransaction hasTransaction: Bool = true,
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Void,
        committed: @escaping @Sendable () -> Void = {}
    ) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let job = WriterJob(hasTransaction: hasTransaction, run: body) { error in
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
