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
    func perform(
        inTransaction hasTransaction: Bool = true,
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Void
    ) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let job = WriterJob(hasTransaction: hasTransaction, run: body) { error in
                if let error { continuation.resume(throwing: error) } else { continuation.resume() }
            }
            if !run(job) {
                continuation.resume(throwing: QueueError(.closed, "the queue is closed"))
            }
        }
    }
}
