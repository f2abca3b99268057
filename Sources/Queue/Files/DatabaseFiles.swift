import Glibc

/// The files of a database as they are at one moment: what says that those behind a path are not those that were opened.
struct DatabaseFiles: Equatable, Sendable {
    /// A file, whatever its name.
    struct Identity: Equatable, Sendable {
        var device: UInt64
        var inode: UInt64
    }

    /// What happened to the files of an open database.
    enum Change: Equatable, Sendable {
        case removed
        /// Another file has its name.
        case replaced
        /// It was cut to nothing.
        case emptied
        /// The write-ahead log, or the memory beside it that its readers share, is another file or none.
        case logLost

        var description: String {
            switch self {
            case .removed: "was removed"
            case .replaced: "was replaced by another file"
            case .emptied: "was emptied"
            case .logLost: "has lost its write-ahead log (-wal or -shm)"
            }
        }
    }

    var database: Identity?
    var log: Identity?
    var sharedMemory: Identity?
    /// Of the database file, and when it was written: while somebody copies one into its place these change.
    var size: Int64 = 0
    var written: Written?

    /// Seconds and nanoseconds. Read as numbers: which C module `timespec` is from depends on what else is compiled with this file.
    struct Written: Equatable, Sendable {
        var seconds: Int64
        var nanoseconds: Int64
    }

    init(path: String) {
        var status = stat()
        if stat(path, &status) == 0 {
            database = Identity(status)
            size = Int64(status.st_size)
            written = withUnsafeBytes(of: status.st_mtim) {
                Written(seconds: $0.load(as: Int64.self), nanoseconds: $0.load(fromByteOffset: 8, as: Int64.self))
            }
        }
        if stat(path + "-wal", &status) == 0 { log = Identity(status) }
        if stat(path + "-shm", &status) == 0 { sharedMemory = Identity(status) }
    }

    /// What has happened since these were opened; nil where they are the same.
    func change(to found: DatabaseFiles) -> Change? {
        if found == self { return nil }
        guard let database = found.database else { return .removed }
        guard database == self.database else { return .replaced }
        guard found.size > 0 else { return .emptied }
        return found.log == log && found.sharedMemory == sharedMemory ? nil : .logLost
    }

    /// Whether a write-ahead log that is not of these lies where their database was: somebody is putting another there, its log first.
    func isLogOfAnother(_ found: DatabaseFiles) -> Bool {
        found.database == nil && found.log != nil && found.log != log
    }

    /// Removes the files beside the database that belonged to these, and no database is to be opened with any more.
    ///
    /// SQLite takes a log for that of the database beside it by its name alone, and would write its pages into another's file
    /// (https://sqlite.org/howtocorrupt.html).
    /// - Parameter found: What belongs to another database stays. Beside our own file nothing of another's has a meaning.
    func removeRemains(path: String, after change: Change, found: DatabaseFiles) {
        let isOfOthers = change == .replaced || change == .removed
        if !isOfOthers || found.log == log { unlink(path + "-wal") }
        if !isOfOthers || found.sharedMemory == sharedMemory { unlink(path + "-shm") }
    }
}

extension DatabaseFiles.Identity {
    init(_ status: stat) {
        self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
