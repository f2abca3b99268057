import Glibc
import NIOCore

/// A body in a file, open for reading; closed with its last reference. Reading blocks: on a thread pool only.
final class SpoolFile: Sendable {
    private let descriptor: CInt

    /// - Throws: An `IOError` with the path in its reason.
    init(path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IOError(errnoCode: errno, reason: "open \(path)") }
    }

    deinit { close(descriptor) }

    /// Reads exactly `count` bytes.
    func read(at offset: Int, count: Int) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        while buffer.readableBytes < count {
            let done = buffer.readableBytes
            let result = buffer.withUnsafeMutableWritableBytes { bytes in
                pread(descriptor, bytes.baseAddress, count - done, off_t(offset + done))
            }
            switch result {
            case 0: throw IOError(errnoCode: EIO, reason: "a spooled body ends too early")
            case 1...: buffer.moveWriterIndex(forwardBy: result)
            default:
                guard errno == EINTR else { throw IOError(errnoCode: errno, reason: "read a spooled body") }
            }
        }
        return buffer
    }
}
