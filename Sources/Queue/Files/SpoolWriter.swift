package import Core
import Glibc
package import NIOCore
import NIOPosix

/// Writes one body to its file while it arrives. Used on its event loop only.
///
/// Parts are written in order. Whoever reads from a connection reads on when a part's future has succeeded: that is the bound on
/// what is in memory. Ends with ``finish()`` or ``discard()``; dropped without either, the file goes too.
package final class SpoolWriter {
    private let file: SpoolFile
    private let eventLoop: any EventLoop
    private var tail: EventLoopFuture<Void>
    private var isEnded = false

    init(file: SpoolFile, eventLoop: any EventLoop) {
        self.file = file
        self.eventLoop = eventLoop
        tail = eventLoop.makeSucceededVoidFuture()
    }

    /// Appends bytes. Fails with a ``StorageProblem``; every later call fails then too.
    package func write(_ bytes: ByteBuffer) -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        precondition(!isEnded, "a body is written to before its end")
        tail = tail.flatMap { [file, eventLoop] in
            file.spool.pool.runIfActive(eventLoop: eventLoop) { try file.append(bytes) }
        }
        return tail
    }

    /// The body is whole: its file is closed, and on the disk where `QUEUE_SYNCHRONOUS` is full.
    package func finish() -> EventLoopFuture<SpooledBody> {
        eventLoop.assertInEventLoop()
        precondition(!isEnded, "a body ends once")
        isEnded = true
        return tail.flatMap { [file, eventLoop] in
            file.spool.pool.runIfActive(eventLoop: eventLoop) { try file.finish() }
        }
    }

    /// The body is not wanted any more; its file is removed. May be called at any time, also after a failure.
    package func discard() {
        eventLoop.assertInEventLoop()
        guard !isEnded else { return }
        isEnded = true
        tail.whenComplete { [file] _ in
            file.spool.pool.submit { _ in file.discard() }
        }
    }
}

/// The file behind a ``SpoolWriter``: opened by its first write, removed on a pool thread when it is let go unfinished.
final class SpoolFile: @unchecked Sendable {
    // `@unchecked`: its writer's chain of futures lets one pool thread at a time in, and nobody else but `deinit`.

    let spool: BodySpool
    private let name: String
    private let path: String
    private var descriptor: Int32 = -1
    private var byteCount = 0

    init(name: String, spool: BodySpool) {
        self.spool = spool
        self.name = name
        path = "\(spool.path)/\(name)"
    }

    deinit {
        guard descriptor >= 0 else { return }
        // Dropped by whoever was last, an event loop too, which must not wait for the disk.
        spool.pool.submit { [spool, descriptor, path, byteCount] _ in
            Glibc.close(descriptor)
            Glibc.unlink(path)
            spool.count(-Int64(byteCount))
        }
    }

    func append(_ bytes: ByteBuffer) throws(StorageProblem) {
        try open()
        let code: Int32 = bytes.withUnsafeReadableBytes { part in
            var done = 0
            while done < part.count {
                let count = Glibc.write(descriptor, part.baseAddress! + done, part.count - done)
                if count < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                done += count
                byteCount += count
                spool.count(Int64(count))
            }
            return 0
        }
        if code != 0 { throw problem("cannot be written", code) }
    }

    func finish() throws(StorageProblem) -> SpooledBody {
        try open()
        if let sync = spool.sync {
            guard sync(descriptor) == 0 else { throw problem("cannot be synced", errno) }
            // The name too has to survive (fsync(2)).
            let folder = Glibc.open(spool.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard folder >= 0 else { throw problem("cannot be synced", errno) }
            defer { Glibc.close(folder) }
            guard sync(folder) == 0 else { throw problem("cannot be synced", errno) }
        }
        let closed = Glibc.close(descriptor)
        descriptor = -1
        guard closed == 0 else {
            let code = errno
            remove()
            throw problem("cannot be closed", code)
        }
        return SpooledBody(name: name, path: path, byteCount: byteCount)
    }

    func discard() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
        remove()
    }

    private func remove() {
        Glibc.unlink(path)
        spool.count(-Int64(byteCount))
    }

    private func open() throws(StorageProblem) {
        guard descriptor < 0 else { return }
        descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor < 0, errno == ENOENT, mkdir(spool.path, 0o700) == 0 || errno == EEXIST {
            // Somebody has removed the folder.
            descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        }
        if descriptor < 0 { throw problem("cannot be made", errno) }
    }

    private func problem(_ what: String, _ code: Int32) -> StorageProblem {
        StorageProblem(
            code == ENOSPC || code == EDQUOT ? .full : .broken,
            "the body's file \(path) \(what): \(errnoText(code))"
        )
    }
}
