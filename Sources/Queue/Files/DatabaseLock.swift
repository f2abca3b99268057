import Glibc
import Synchronization

/// Keeps a second gateway off the database: an advisory lock (flock(2)) on a file beside it, with the holder's name inside.
///
/// The kernel lets go of it when the process ends, however it ends; the file stays.
final class DatabaseLock: Sendable {
    private let descriptor: Int32
    private let isReleased = Atomic<Bool>(false)

    /// - Throws: ``QueueError``, `locked` naming the holder.
    init(path: String, databasePath: String) throws(QueueError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw QueueError(.unwritable, "the lock file \(path) cannot be opened: \(errnoText())")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = Self.content(of: descriptor)
            close(descriptor)
            guard code == EWOULDBLOCK else {
                throw QueueError(.unwritable, "the lock file \(path) cannot be locked: \(errnoText(code))")
            }
            throw QueueError(.locked, "the database \(databasePath) is in use by \(holder ?? "another process")")
        }
        let text = "process \(getpid()) on host \(Self.hostName)\n"
        ftruncate(descriptor, 0)
        _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    deinit { release() }

    /// Lets go of it; once.
    func release() {
        guard !isReleased.exchange(true, ordering: .relaxed) else { return }
        close(descriptor)
    }

    private static func content(of descriptor: Int32) -> String? {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        let line = String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return line.isEmpty ? nil : line
    }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
