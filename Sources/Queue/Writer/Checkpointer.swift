import CSQLite
import Logging
import Synchronization

/// Moves what was committed from the WAL into the database file, on a thread and a connection of its own, so that no commit waits for it.
///
/// From 2,000 frames a PASSIVE checkpoint, which disturbs nobody. Under a steady load that alone never lets the WAL begin anew,
/// since there is always a newer frame; so above 6,000 a RESTART follows, between two transactions of the writer, with little
/// left to move. It does not wait for readers: it is tried again. The WAL file is used again, not truncated: growing
/// a file costs a commit of the file system's journal (measurements: 4–8 ms). Only what is more than twice its usual size is cut
/// off, and all of it where the disk is full.
final class Checkpointer: @unchecked Sendable {
    // `@unchecked`: what changes is atomic, or touched with a lock held, or by the thread alone.

    struct Limits: Sendable {
        var passiveFrames = 2000
        var restartFrames = 6000
        /// Above this, intake stops.
        var behindFrames = 65_536
    }

    /// Until a failed or hindered checkpoint is tried again, in nanoseconds.
    private static let retryDelay: Int64 = 20_000_000
    private static let failureDelay: Int64 = 1_000_000_000

    /// Its own, without a busy timeout: SQLite must not wait for readers with the write lock held. nil while no database is open.
    private var connection: SQLiteConnection?
    /// Held while the connection is used, or changed.
    private let connectionLock = ThreadLock()
    private let gate: CommitGate
    private let health: StorageHealth
    let limits: Limits
    private let logger: Logger
    private let frames = Atomic<Int>(0)
    /// At how many frames the thread is woken.
    private let wakeAt: Atomic<Int>
    private let taken = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)
    private let lock = ThreadLock()
    private var isWanted = false
    private var isClosed = false
    /// Whether the last one failed: told in the log once.
    private var isFailing = false
    private let copying = Atomic<Bool>(false)

    init(gate: CommitGate, health: StorageHealth, limits: Limits = Limits(), logger: Logger) {
        self.gate = gate
        self.health = health
        self.limits = limits
        self.logger = logger
        wakeAt = Atomic(limits.passiveFrames)
    }

    /// Frames in the WAL after the last commit.
    var walFrames: Int { frames.load(ordering: .relaxed) }
    var counts: (taken: Int, failed: Int) { (taken.load(ordering: .relaxed), failures.load(ordering: .relaxed)) }

    /// While the database is copied through the writer's connection, it is left to that connection to begin the WAL anew, as SQLite does by itself
    /// in the first commit after a whole checkpoint. Where another connection does it, the writer's forgets every page that it
    /// knows, and the copy begins anew too.
    var isCopying: Bool {
        get { copying.load(ordering: .relaxed) }
        set { copying.store(newValue, ordering: .relaxed) }
    }

    /// Has SQLite call ``committed(frames:)`` after each commit of the writer's connection, and moves what it writes.
    ///
    /// To be called after `PRAGMA wal_autocheckpoint`, which would replace the hook. The connection must not commit any more when
    /// this object is gone.
    func attach(_ connection: SQLiteConnection, writer: SQLiteConnection) {
        connectionLock.withLock { self.connection = connection }
        frames.store(0, ordering: .relaxed)
        wakeAt.store(limits.passiveFrames, ordering: .relaxed)
        tellBehind(0)
        sqlite3_wal_hook(
            writer.handle,
            { context, _, _, frames in
                Unmanaged<Checkpointer>.fromOpaque(context!).takeUnretainedValue().committed(frames: Int(frames))
                return SQLITE_OK
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }

    /// Closes the connection, when a checkpoint that is under way is done.
    func detach() {
        connectionLock.withLock {
            connection?.close()
            connection = nil
        }
    }

    /// On the writer's thread.
    private func committed(frames count: Int) {
        let before = frames.exchange(count, ordering: .relaxed)
        if count < before { wakeAt.store(limits.passiveFrames, ordering: .relaxed) }
        if count > limits.behindFrames || before > limits.behindFrames { tellBehind(count) }
        guard count >= wakeAt.load(ordering: .relaxed) else { return }
        wakeAt.store(.max, ordering: .relaxed)
        lock.withLock {
            isWanted = true
            lock.signal()
        }
    }

    /// The thread's loop, until ``close()``.
    func run() {
        var retryAt: Int64?
        while true {
            lock.lock()
            while !isWanted, !isClosed {
                if let retryAt, monotonicNanoseconds() >= retryAt { break }
                lock.wait(until: retryAt)
            }
            let isLast = isClosed
            isWanted = false
            lock.unlock()
            if isLast { return }
            retryAt = checkpoint().map { monotonicNanoseconds() + $0 }
        }
    }

    func close() {
        lock.withLock {
            isClosed = true
            lock.signal()
        }
    }

    /// Takes a last checkpoint and closes the connection; after the thread has ended. Where it is the last one, SQLite then removes
    /// the WAL.
    func finish() {
        _ = take(SQLITE_CHECKPOINT_PASSIVE)
        detach()
    }

    /// Moves all that is in the log into the database, and gives the log's room back. On the writer's thread, between two transactions.
    /// - Returns: Whether it could: neither a reader nor a full disk was in the way.
    func empty() -> Bool {
        let result = take(SQLITE_CHECKPOINT_TRUNCATE)
        guard result.code == SQLITE_OK else { return false }
        frames.store(0, ordering: .relaxed)
        wakeAt.store(limits.passiveFrames, ordering: .relaxed)
        tellBehind(0)
        return true
    }

    /// Takes one checkpoint.
    /// - Returns: After how many nanoseconds it is to be tried again; nil where the next commit's frames decide.
    func checkpoint() -> Int64? {
        var result = take(SQLITE_CHECKPOINT_PASSIVE)
        if result.code == SQLITE_OK, result.total > limits.restartFrames || walFrames > limits.restartFrames {
            result = gate.whileClosed {
                let result = restart()
                if result.code == SQLITE_OK {
                    // The next commit begins the WAL anew. Told in here, so that no commit after it is contradicted.
                    frames.store(0, ordering: .relaxed)
                    tellBehind(0)
                }
                return result
            }
        }
        switch result.code & 0xFF {
        case SQLITE_OK:
            taken.add(1, ordering: .relaxed)
            if isFailing { logger.notice("Checkpoints succeed again") }
            isFailing = false
            let rest = walFrames < result.total ? 0 : walFrames
            wakeAt.store(
                rest < limits.passiveFrames ? limits.passiveFrames : rest + limits.passiveFrames,
                ordering: .relaxed
            )
            return nil
        case SQLITE_BUSY, SQLITE_LOCKED:
            return Self.retryDelay
        default:
            failures.add(1, ordering: .relaxed)
            if !isFailing { logger.error("A checkpoint failed", metadata: ["cause": "\(result.problem)"]) }
            isFailing = true
            return Self.failureDelay
        }
    }

    /// Makes the next commit begin the WAL anew; between two transactions.
    private func restart() -> Taken {
        guard isCopying else { return take(SQLITE_CHECKPOINT_RESTART) }
        var result = take(SQLITE_CHECKPOINT_PASSIVE)
        if result.code == SQLITE_OK, result.moved < result.total { result.code = SQLITE_BUSY }
        return result
    }

    /// Takes a checkpoint of a mode; `total` is how many frames the WAL has, `moved` how many of them are in the database.
    private func take(_ mode: Int32) -> Taken {
        connectionLock.withLock {
            // Nothing is written either while no database is open.
            guard let connection else { return Taken(code: SQLITE_OK, total: 0, moved: 0, problem: "") }
            var total: Int32 = 0
            var moved: Int32 = 0
            let code = sqlite3_wal_checkpoint_v2(connection.handle, nil, mode, &total, &moved)
            let problem = code == SQLITE_OK ? "" : "\(SQLiteFailure(code: code, handle: connection.handle))"
            // A connection that has not read yet does not know of the WAL: SQLite then does nothing, and says -1 and OK. Ours has read
            // (DatabaseFile.openCheckpointer); should it ever be so all the same, it must not pass for success.
            let isNothing = code == SQLITE_OK && total < 0
            return Taken(
                code: isNothing ? SQLITE_MISUSE : code,
                total: Int(total),
                moved: Int(moved),
                problem: isNothing ? "the connection knows no write-ahead log" : problem
            )
        }
    }

    /// What a checkpoint came to.
    private struct Taken {
        /// SQLite's.
        var code: Int32
        var total: Int
        var moved: Int
        /// In words, where it failed.
        var problem: String
    }

    private func tellBehind(_ frames: Int) {
        guard frames > limits.behindFrames else { return health.isBehind(nil) }
        health.isBehind(
            StorageProblem(.behind, "the write-ahead log has \(frames) pages that are not in the database yet")
        )
    }
}
