import NIOCore

/// The head of an answer: what framing and counting need, and the bytes to look a field up in.
package struct ResponseHead {
    package enum Framing: Equatable {
        case fixed(Int)
        case chunked
        case untilClose
    }

    package let status: Int
    package let framing: Framing
    /// Whether the server keeps the connection open after the answer.
    package let keepsAlive: Bool
    private let bytes: ByteBuffer

    /// Reads a whole head, nil where it is not one of HTTP/1.
    init?(_ bytes: ByteBuffer) {
        var length: Int?
        var chunked = false
        var closes = false
        let status = bytes.withUnsafeReadableBytes { raw -> Int? in
            guard raw.count >= 16, raw.starts(with: "HTTP/1.".utf8) else { return nil }
            closes = raw[7] == UInt8(ascii: "0")
            raw.forEachField { name, value in
                switch (name.first ?? 0) | 0x20 {
                case UInt8(ascii: "c"):
                    if name.matches("content-length") {
                        length = Int(String(decoding: value, as: UTF8.self))
                    } else if name.matches("connection"), value.matches("close") {
                        closes = true
                    }
                case UInt8(ascii: "t"):
                    if name.matches("transfer-encoding"), value.matches("chunked") { chunked = true }
                default:
                    break
                }
                return true
            }
            return Int(String(decoding: raw[9..<12], as: UTF8.self))
        }
        guard let status else { return nil }
        self.status = status
        self.bytes = bytes
        if status == 204 || status == 304 {
            framing = .fixed(0)
        } else if chunked {
            framing = .chunked
        } else if let length {
            framing = .fixed(length)
        } else {
            framing = .untilClose
        }
        keepsAlive = !closes && framing != .untilClose
    }

    /// The value of a field, by its name in lower case; the first where there are several.
    package func field(_ name: StaticString) -> String? {
        bytes.withUnsafeReadableBytes { raw in
            var found: String?
            raw.forEachField { field, value in
                guard field.matches(name) else { return true }
                found = String(decoding: value, as: UTF8.self)
                return false
            }
            return found
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Calls `body` with name and value of each field line until it returns false.
    fileprivate func forEachField(_ body: (Slice<Self>, Slice<Self>) -> Bool) {
        guard var start = firstIndex(of: UInt8(ascii: "\n")).map({ $0 + 1 }) else { return }
        while start < endIndex, let end = self[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = self[start..<(end - 1)]
            start = end + 1
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }
            if !body(line[..<colon], value) { return }
        }
    }
}

extension Slice<UnsafeRawBufferPointer> {
    /// Equal, where `text` is in lower case and letters count the same in either case.
    fileprivate func matches(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let expected = UnsafeBufferPointer(start: text.utf8Start, count: count)
        return zip(self, expected).allSatisfy { $0 == $1 || (0x41...0x5A).contains($0) && $0 | 0x20 == $1 }
    }
}
