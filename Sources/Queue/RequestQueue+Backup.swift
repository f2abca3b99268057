import Core
import Glibc
import NIOConcurrencyHelpers

extension RequestQueue {
    /// A slice of a copy ends after this, in nanoseconds.
    private static let copySlice: Int64 = 3_000_000
    private static let copyPause = Duration.milliseconds(7)
    /// What has to be free on the disk beside the copy.
    private static let spareBytes: Int64 = 256 << 20

    /// Copies the database as it is at one moment, the last of the copying, into a file beside it that only this process's user can read,
    /// and that has lost its name when this returns.
    ///
    /// Goes on in slices of a few milliseconds on the writer's thread, so that neither commits nor checkpoints wait for it. Spooled bodies are
    /// files of their own, and not in it.
    /// - Throws: ``QueueError``: `busy` while another is taken or read, `full` where the disk has no room.
    package func backup(clock: some Clock<Duration> = .continuous) async throws -> DatabaseBackup {
        guard backupSlot.take() else { throw QueueError(.busy, "another backup is being taken or read") }
        var isHandedOver = false
        defer { if !isHandedOver { backupSlot.free() } }
        let path = configuration.backupPath
        try makeCopy(path)
        defer { unlink(path) }
        checkpointer.isCopying = true
        defer { checkpointer.isCopying = false }
        try await copy(to: path, clock: clock)
        let backup = try DatabaseBackup(path: path, pool: spool.pool, slot: backupSlot)
        isHandedOver = true
        return backup
    }

    /// Makes the file, where there is room for it.
    private func makeCopy(_ path: String) throws(QueueError) {
        guard let free = DatabaseDisk.space(DatabaseFile.parent(of: configuration.databasePath))?.free else {
            throw QueueError(.storage, "the free space on the disk of \(configuration.databasePath) cannot be told")
        }
        let wanted = statistics.databaseBytes + Self.spareBytes
        guard free >= wanted else {
            throw QueueError(
                .full,
                "a backup needs \(wanted >> 20) MiB beside the database; \(free >> 20) MiB are free"
            )
        }
        unlink(path)
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw QueueError(.unwritable, "the file for the backup \(path) cannot be made: \(errnoText())")
        }
        Glibc.close(descriptor)
    }

    private func copy(to path: String, clock: some Clock<Duration>) async throws {
        let state = NIOLockedValueBox<(copier: DatabaseCopier?, isDone: Bool)>((nil, false))
        do {
            while true {
                try Task.checkCancellation()
                try await slice { connection in
                    let copier = try state.withLockedValue { $0.copier } ?? DatabaseCopier(of: connection, to: path)
                    let isDone = try copier.step(until: monotonicNanoseconds() + Self.copySlice)
                    state.withLockedValue { $0 = (copier, isDone) }
                }
                if state.withLockedValue({ $0.isDone }) { return }
                try await clock.sleep(for: Self.copyPause)
            }
        } catch {
            // On the thread whose connection it reads. Where the queue was closed meanwhile, that is gone, and nobody else uses it.
            try? await onWriterThread { state.withLockedValue { $0.copier?.end() } }
            guard let failure = error as? SQLiteFailure else { throw error }
            throw QueueError(failure.isFull ? .full : .storage, "the database cannot be copied", cause: failure)
        }
    }
}
