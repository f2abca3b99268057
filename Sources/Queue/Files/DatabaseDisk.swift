import CSQLite
import Glibc

/// The disk that a database is on: how much of it the database may take, and the file that holds some of it back.
///
/// A disk that is full to the last byte stays so: a removal has to be written into the log before anything is free, and the log can be begun
/// anew only when what is in it was moved into the database, which may have to grow for that. So some room is held back in a file
/// that goes when the disk is full, and is made anew when the oldest rows are gone, or others have given room back. It lets a
/// gateway start on a full disk too.
///
/// Used by the thread that opens the queue, and then by the writer's.
final class DatabaseDisk {
    /// How the room of a disk is shared out.
    struct Shares: Sendable {
        /// Where less than this is free, the oldest rows go, as long as rows and bodies together take more than it.
        var reserve: Int64
        /// What the file holds back of that. More than the log may come to, on a small disk.
        var heldBack: Int64
        var checkpoints = Checkpointer.Limits()
        /// Of the bodies in a transaction.
        var bytesPerCommit: Int64

        /// - Parameters:
        ///   - total: The disk's size; nil where it is not known.
        ///   - heldBack: At most so much is held back.
        init(total: Int64?, heldBack: Int64) {
            let total = total ?? .max
            let page: Int64 = 4096
            func frames(_ part: Int64, atMost frames: Int) -> Int {
                Int(min(max(total / part / page, 16), Int64(frames)))
            }
            // The log's bound (256 MiB), and 64 MiB for all else.
            reserve = min(320 << 20, total / 4)
            self.heldBack = min(heldBack, total / 8) / page * page
            checkpoints.passiveFrames = frames(72, atMost: checkpoints.passiveFrames)
            checkpoints.restartFrames = frames(24, atMost: checkpoints.restartFrames)
            checkpoints.behindFrames = frames(12, atMost: checkpoints.behindFrames)
            bytesPerCommit = min(8 << 20, total / 32)
        }
    }

    let shares: Shares
    private let folder: String
    private let path: String
    private var isHeld = false

    init(_ configuration: QueueConfiguration) {
        folder = DatabaseFile.parent(of: configuration.databasePath)
        path = configuration.reservePath
        shares = Shares(total: Self.space(folder)?.total, heldBack: configuration.heldBackBytes)
        isHeld = Self.size(of: path) == shares.heldBack && shares.heldBack > 0
    }

    /// What is free, and could be: what is held back counts as free. `Int64.max` where it is not known.
    var room: Int64 {
        guard let free = Self.space(folder)?.free else { return .max }
        return free + (isHeld ? shares.heldBack : 0)
    }

    /// Whether there is enough to hold some of it back and go on beside that.
    var isRoomy: Bool { room >= shares.heldBack / 2 * 3 }

    /// Holds room back, where there is enough.
    /// - Returns: Whether it is held.
    func hold() -> Bool {
        if isHeld { return true }
        guard isRoomy else { return false }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard ftruncate(descriptor, off_t(shares.heldBack)) == 0,
            shares.heldBack == 0 || posix_fallocate(descriptor, 0, off_t(shares.heldBack)) == 0
        else {
            unlink(path)
            return false
        }
        isHeld = true
        return true
    }

    /// Gives back what is held.
    func letGo() {
        unlink(path)
        isHeld = false
    }

    /// How large a database can become here, beside what others have on the disk; nil where it is not known.
    static func capacity(_ configuration: QueueConfiguration) -> Int64? {
        guard let space = space(DatabaseFile.parent(of: configuration.databasePath)) else { return nil }
        let paths = [
            configuration.databasePath, configuration.databasePath + "-wal", configuration.reservePath,
        ]
        let own = paths.reduce(0) { $0 + size(of: $1) }
        return max(0, space.free + own - Shares(total: space.total, heldBack: configuration.heldBackBytes).reserve)
    }

    /// The bytes of the file system that a folder is on, and those that are free to this user; nil where it cannot be told.
    static func space(_ folder: String) -> (total: Int64, free: Int64)? {
        var (total, free): (Int64, Int64) = (0, 0)
        guard neutrino_disk_space(folder, &total, &free) == 0, total > 0 else { return nil }
        return (total, free)
    }

    private static func size(of path: String) -> Int64 {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : 0
    }
}

extension QueueConfiguration {
    /// How large the database can become on its disk, in bytes, beside what others have there; nil where it is not known. The oldest ended
    /// requests go from there on, whatever `DATABASE_MAX_BYTES` says.
    package var diskCapacity: Int64? { DatabaseDisk.capacity(self) }
}
