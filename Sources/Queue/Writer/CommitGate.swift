/// Lets the checkpointer in between two transactions of the writer.
///
/// A checkpoint that restarts the WAL needs SQLite's write lock. A writer under load takes that lock again at once, and whoever polls
/// for it starves; so the writer passes through here before each transaction and waits while the checkpointer is inside.
final class CommitGate: @unchecked Sendable {
    // `@unchecked`: both flags are touched with the lock held only.

    private let lock = ThreadLock()
    private var isWriting = false
    private var isClosed = false

    /// Before a transaction.
    func enter() {
        lock.withLock {
            while isClosed { lock.wait() }
            isWriting = true
        }
    }

    /// After it.
    func leave() {
        lock.withLock {
            isWriting = false
            if isClosed { lock.broadcast() }
        }
    }

    /// Runs `body` while no transaction is under way.
    func whileClosed<Result>(_ body: () -> Result) -> Result {
        lock.withLock {
            isClosed = true
            while isWriting { lock.wait() }
        }
        defer {
            lock.withLock {
                isClosed = false
                lock.broadcast()
            }
        }
        return body()
    }
}
