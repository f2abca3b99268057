import Glibc
import NIOConcurrencyHelpers

/// Keeps a second gateway off the database: an advisory lock (flock(2)) on a file beside it, with the holder's name inside, and one on
/// the database file itself, which also holds where that is called by another name (a hard link).
///
/// The kernel lets go of both when the process ends, however it ends; the files stay. On the file systems that a database may be on,
/// flock(2) and the locks that SQLite takes (fcntl(2)) do not see each other. But to close any descriptor of a file lets go of the
/// process's fcntl locks on it: so ours is opened before SQLite's and closed after them.
final class DatabaseLock: Sendable {
    private struct Held {
        var file: Int32
        var database: Int32
    }

    private let path: String
    private let databasePath: String
    private let held: NIOLockedValueBox<Held?>

    /// - Parameter databasePath: Of a file that exists.
    /// - Throws: ``QueueError``, `locked` naming the holder.
    init(path: String, databasePath: String) throws(QueueError) {
        self.path = path
        self.databasePath = databasePath
        held = NIOLockedValueBox(try Self.take(path, databasePath))
    }

    deinit { release() }

    /// Takes the locks of the files that are there now, and lets go of those that were locked before. While no connection is open.
    /// - Throws: ``QueueError``; nothing is locked then.
    func retake() throws(QueueError) {
        release()
        let taken = try Self.take(path, databasePath)
        held.withLockedValue { $0 = taken }
    }

    /// Lets go of it. While no connection is open.
    func release() {
        let released = held.withLockedValue { held in
            defer { held = nil }
            return held
        }
        guard let released else { return }
        close(released.database)
        close(released.file)
    }

    private static func take(_ path: String, _ databasePath: String) throws(QueueError) -> Held {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw QueueError(.unwritable, "the lock file \(path) cannot be opened: \(errnoText())")
        }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = content(of: file)
            close(file)
            guard code == EWOULDBLOCK else {
                throw QueueError(.unwritable, "the lock file \(path) cannot be locked: \(errnoText(code))")
            }
            throw QueueError(.locked, "the database \(databasePath) is in use by \(holder ?? "another process")")
        }
        let database = open(databasePath, O_RDWR | O_CLOEXEC)
        guard database >= 0, flock(database, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            if database >= 0 { close(database) }
            close(file)
            guard code == EWOULDBLOCK else {
                throw QueueError(.unwritable, "the database \(databasePath) cannot be locked: \(errnoText(code))")
            }
            throw QueueError(
                .locked,
                "the database \(databasePath) is in use by another gateway, under another name of the same file (a hard link)"
            )
        }
        let text = "process \(getpid()) on host \(hostName)\n"
        ftruncate(file, 0)
        _ = text.withCString { pwrite(file, $0, strlen($0), 0) }
        return Held(file: file, database: database)
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
