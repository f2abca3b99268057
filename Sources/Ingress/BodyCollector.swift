import NIOCore

/// Decides where the bytes of a request's body go while they come: memory up to a threshold, then portions of a file.
struct BodyCollector {
    enum Step {
        /// Kept in memory: more can come.
        case readOn
        /// To be written to the body's file before more is read.
        case store(ByteBuffer)
        /// Over the bound on a body.
        case tooLarge
    }

    private let limit: Int
    private let threshold: Int
    /// Content-Length; nil where the body is chunked.
    private let expected: Int?
    private(set) var received = 0
    /// Whether a part was given out to be stored: the rest has to follow it.
    private(set) var isStored = false
    private var memory = ByteBuffer()

    init(expected: Int?, limit: Int, threshold: Int) {
        self.expected = expected
        self.limit = limit
        self.threshold = threshold
    }

    mutating func take(_ bytes: ByteBuffer) -> Step {
        received += bytes.readableBytes
        guard received <= limit else { return .tooLarge }
        if memory.readableBytes == 0 {
            memory = bytes
        } else {
            if memory.writableBytes < bytes.readableBytes { reserve(bytes.readableBytes) }
            memory.writeImmutableBuffer(bytes)
        }
        guard memory.readableBytes > threshold else { return .readOn }
        isStored = true
        defer { memory = ByteBuffer() }
        return .store(memory)
    }

    /// What was not given out. A small body is moved out of a large read buffer, which it would keep alive while it waits.
    mutating func rest() -> ByteBuffer {
        defer { memory = ByteBuffer() }
        let count = memory.readableBytes
        guard memory.storageCapacity > 2 * count + 4096 else { return memory }
        var copy = ByteBuffer()
        copy.reserveCapacity(count)
        copy.writeImmutableBuffer(memory)
        return copy
    }

    /// Makes room for the whole body where its length is known, at most for what memory may hold.
    private mutating func reserve(_ more: Int) {
        let left = expected.map { max($0 - received, 0) } ?? 0
        memory.reserveCapacity(minimumWritableBytes: more + min(left, threshold))
    }
}
