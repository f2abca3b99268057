import Core
import Glibc
package import NIOCore
import NIOPosix
import Synchronization

/// A whole copy of the database, to be read once. Its file has no name any more: it is gone when this is.
package final class DatabaseBackup: Sendable {
    /// Bytes read at once.
    private static let partBytes = 256 * 1024

    package let byteCount: Int64
    private let descriptor: Int32
    private let pool: NIOThreadPool
    private let position = Atomic<Int64>(0)
    private let slot: BackupSlot

    /// - Parameter path: The copy; its name is removed.
    init(path: String, pool: NIOThreadPool, slot: BackupSlot) throws(QueueError) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        let code = errno
        unlink(path)
        guard descriptor >= 0 else {
            throw QueueError(.storage, "the copy \(path) cannot be read: \(errnoText(code))")
        }
        var status = stat()
        byteCount = fstat(descriptor, &status) == 0 ? Int64(status.st_size) : 0
        self.pool = pool
        self.slot = slot
    }

    deinit {
        close(descriptor)
        slot.free()
    }

    /// The next bytes; nil at the end. One call at a time.
    package func read() async throws -> ByteBuffer? {
        let offset = position.load(ordering: .relaxed)
        let wanted = Int(min(Int64(Self.partBytes), byteCount - offset))
        guard wanted > 0 else { return nil }
        let descriptor = descriptor
        let part = try await pool.runIfActive { () throws -> ByteBuffer in
            var buffer = ByteBufferAllocator().buffer(capacity: wanted)
            while buffer.readableBytes < wanted {
                let done = buffer.readableBytes
                let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted - done) { bytes in
                    let count = pread(descriptor, bytes.baseAddress, wanted - done, off_t(offset) + off_t(done))
                    guard count > 0 else {
                        throw QueueError(.storage, "the copy of the database cannot be read: \(errnoText())")
                    }
                    return count
                }
                precondition(count > 0)
            }
            return buffer
        }
        position.store(offset + Int64(wanted), ordering: .relaxed)
        return part
    }
}

/// Lets one backup at a time in: each takes as much disk as the database.
final class BackupSlot: Sendable {
    private let isTaken = Atomic<Bool>(false)

    func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }

    func free() { isTaken.store(false, ordering: .releasing) }
}
