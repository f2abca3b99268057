package import NIOCore

/// Reads the answers on one connection from the bytes as they come: as little work as a measurement needs, no more.
///
/// It believes its server: what it cannot read ends the connection and is counted, which is all that a load generator has to do.
package struct ResponseParser {
    package enum Event {
        case head(ResponseHead)
        /// Part of the body, without chunk framing; never comes when bodies are skipped.
        case body(ByteBuffer)
        case end
    }

    package enum Problem: Error, Equatable {
        case notAnAnswer
        case headTooLarge
        case badChunk
    }

    fileprivate enum State: Equatable {
        case head
        case fixed(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailers
        case untilClose
    }

    /// Bound on a head, in bytes.
    private static let maxHead = 64 * 1024

    private let skipsBodies: Bool
    private var state = State.head
    private var buffer = ByteBuffer()

    package init(skipsBodies: Bool) {
        self.skipsBodies = skipsBodies
    }

    package mutating func feed(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next event, nil where more bytes are needed.
    package mutating func next() throws(Problem) -> Event? {
        while true {
            switch state {
            case .head:
                guard let head = try readHead() else { return nil }
                if head.status < 200 { continue }
                state = State(head.framing)
                return .head(head)
            case .fixed(0):
                state = .head
                return .end
            case .fixed(let left):
                guard let part = readBody(atMost: left) else { return nil }
                state = .fixed(left - part.readableBytes)
                if !skipsBodies { return .body(part) }
            case .chunkSize:
                guard let size = try readChunkSize() else { return nil }
                state = size == 0 ? .trailers : .chunk(size)
            case .chunk(let left):
                guard let part = readBody(atMost: left) else { return nil }
                state = part.readableBytes == left ? .chunkEnd : .chunk(left - part.readableBytes)
                if !skipsBodies { return .body(part) }
            case .chunkEnd:
                guard buffer.readableBytes >= 2 else { return nil }
                buffer.moveReaderIndex(forwardBy: 2)
                state = .chunkSize
            case .trailers:
                guard let line = readLine() else { return nil }
                if line.readableBytes == 0 {
                    state = .head
                    return .end
                }
            case .untilClose:
                guard let part = readBody(atMost: .max) else { return nil }
                if !skipsBodies { return .body(part) }
            }
        }
    }

    /// The server closed: whether that was the proper end of an answer.
    package mutating func close() -> Bool {
        defer { state = .head }
        return state == .untilClose
    }
}

extension ResponseParser {
    private mutating func readBody(atMost limit: Int) -> ByteBuffer? {
        let count = min(limit, buffer.readableBytes)
        return count > 0 ? buffer.readSlice(length: count) : nil
    }

    private mutating func readHead() throws(Problem) -> ResponseHead? {
        let length = buffer.readableBytesView.headLength
        guard let length else {
            if buffer.readableBytes > Self.maxHead { throw .headTooLarge }
            return nil
        }
        guard let bytes = buffer.readSlice(length: length), let head = ResponseHead(bytes) else { throw .notAnAnswer }
        return head
    }

    private mutating func readLine() -> ByteBuffer? {
        guard let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let length = end - buffer.readerIndex
        var line = buffer.readSlice(length: length)
        buffer.moveReaderIndex(forwardBy: 1)
        if line?.readableBytesView.last == UInt8(ascii: "\r") { line?.moveWriterIndex(to: length - 1) }
        return line
    }

    private mutating func readChunkSize() throws(Problem) -> Int? {
        guard let line = readLine() else { return nil }
        let digits = line.readableBytesView.prefix { $0 != UInt8(ascii: ";") }
        guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else { throw .badChunk }
        return size
    }
}

extension ResponseParser.State {
    fileprivate init(_ framing: ResponseHead.Framing) {
        switch framing {
        case .fixed(let length): self = .fixed(length)
        case .chunked: self = .chunkSize
        case .untilClose: self = .untilClose
        }
    }
}

extension ByteBufferView {
    /// The length of the head that it begins with, its empty line included.
    fileprivate var headLength: Int? {
        withUnsafeBytes { bytes in
            var index = 3
            while index < bytes.count {
                // The last byte of CR LF CR LF is one of two values: step by how far the byte seen allows.
                switch bytes[index] {
                case UInt8(ascii: "\n"):
                    if bytes[index - 1] == UInt8(ascii: "\r"), bytes[index - 2] == UInt8(ascii: "\n"),
                        bytes[index - 3] == UInt8(ascii: "\r")
                    {
                        return index + 1
                    }
                    index += 2
                case UInt8(ascii: "\r"):
                    index += 1
                default:
                    index += 4
                }
            }
            return nil
        }
    }
}
