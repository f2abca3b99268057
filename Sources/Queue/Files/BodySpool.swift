package import Core
import Glibc
package import NIOCore
import NIOPosix
import Synchronization

/// Bodies too large for memory, in files beside the database while they arrive and until retention removes them.
///
/// Files are written and synced on a thread pool of the spool's own, never on an event loop. A file exists before the row that
/// names it; one that no row names is removed when the queue is next opened.
package final class BodySpool: SpooledBytes {
    /// A body above this many bytes is spooled.
    package static let threshold = 256 * 1024

    /// The folder.
    package let path: String
    let pool: NIOThreadPool
    /// What puts a file on the disk before its body counts as whole: fsync(2); nil where nothing does.
    let sync: (@Sendable (Int32) -> Int32)?
    private let prefix: String
    private let sequence = Atomic<UInt64>(0)
    private let bytes = Atomic<Int64>(0)

    init(path: String, sync: (@Sendable (Int32) -> Int32)?) {
        self.path = path
        self.sync = sync
        // Unlike that of any earlier run, so that a name is never given twice.
        prefix = String(UInt64.random(in: .min ... .max), radix: 36)
        pool = NIOThreadPool(numberOfThreads: 2)
        pool.start()
    }

    /// The bytes of all files.
    package var byteCount: Int64 { bytes.load(ordering: .relaxed) }

    func count(_ change: Int64) {
        bytes.add(change, ordering: .relaxed)
    }

    /// Begins a file for one body, whose parts are written from one event loop.
    package func open(on eventLoop: any EventLoop) -> SpoolWriter {
        let name = "\(prefix)-\(sequence.add(1, ordering: .relaxed).newValue)"
        return SpoolWriter(file: SpoolFile(name: name, spool: self), eventLoop: eventLoop)
    }

    /// Removes the file of a body that no row will name.
    package func remove(_ body: SpooledBody) {
        remove(name: body.name)
    }

    /// Counts it as gone at once, and removes it on a thread that may block.
    func remove(name: String) {
        let byteCount = byteCount(of: name)
        count(-byteCount)
        pool.submit { _ in
            if Glibc.unlink("\(self.path)/\(name)") != 0 { self.count(byteCount) }
        }
    }

    func byteCount(of name: String) -> Int64 { body(named: name).map { Int64($0.byteCount) } ?? 0 }

    /// The body behind a name in a row; nil where its file is gone.
    func body(named name: String) -> SpooledBody? {
        let file = "\(path)/\(name)"
        var status = stat()
        guard stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return SpooledBody(name: name, path: file, byteCount: Int(status.st_size))
    }

    /// Makes the folder where it is missing, removes the files that `isNamed` does not know and counts the rest.
    /// - Returns: How many were removed.
    func open(isNamed: (String) throws -> Bool) throws -> Int {
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw QueueError(.unwritable, "the folder for bodies \(path) cannot be made: \(errnoText())")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0, let folder = opendir(path) else {
            throw QueueError(.unwritable, "the folder for bodies \(path) cannot be used: \(errnoText())")
        }
        defer { closedir(folder) }
        var removed = 0
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name != ".", name != "..", let body = body(named: name) else { continue }
            if try isNamed(name) {
                count(Int64(body.byteCount))
            } else if Glibc.unlink(body.path) == 0 {
                removed += 1
            }
        }
        return removed
    }

    /// Ends the threads; what was submitted is done first.
    func close() {
        try? pool.syncShutdownGracefully()
    }
}

/// What `errno` says, in words.
func errnoText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
