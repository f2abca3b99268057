package import NIOCore

/// Names one request for good: in the queue, in logs, in `Neutrino-Request-Id`.
///
/// A TSID: 41 bits of milliseconds since 2024-01-01T00:00Z, 10 bits of node, 12 bits of sequence. Positive, sorted by time, and in
/// commit order within one gateway. It is the rowid of its row, and shown as 13 characters of Crockford base32.
package struct RequestID: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: Int64

    package init(rawValue: Int64) { self.rawValue = rawValue }

    package static func < (left: RequestID, right: RequestID) -> Bool { left.rawValue < right.rawValue }

    /// 2024-01-01T00:00:00Z in milliseconds since 1970.
    package static let epochMilliseconds: Int64 = 1_704_067_200_000

    /// When the request was handed to the writer, in milliseconds since 1970 (by the clock then, never before the id before it).
    package var milliseconds: Int64 { (rawValue >> 22) + Self.epochMilliseconds }

    /// The `NODE_ID` of the gateway that gave the id.
    package var node: Int { Int((rawValue >> 12) & 0x3FF) }

    /// The smallest id that could be given at a time, for ranges over ids. Clamped to what 41 bits hold.
    package static func lowest(atMilliseconds milliseconds: Int64) -> RequestID {
        let since = min(max(milliseconds, epochMilliseconds) - epochMilliseconds, (1 << 41) - 1)
        return RequestID(rawValue: since << 22)
    }
}

extension RequestID: LosslessStringConvertible {
    private static let alphabet: StaticString = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

    /// 13 characters of Crockford base32, most significant first.
    package var description: String {
        String(unsafeUninitializedCapacity: 13) { write(into: $0) }
    }

    /// Writes ``description``.
    package func write(into buffer: inout ByteBuffer) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 13) { room in
            room.withMemoryRebound(to: UInt8.self) { write(into: $0) }
        }
    }

    private func write(into bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let digits = Self.alphabet.utf8Start
        var rest = UInt64(bitPattern: rawValue)
        var index = 12
        while index >= 0 {
            bytes[index] = digits[Int(rest & 31)]
            rest >>= 5
            index -= 1
        }
        return 13
    }

    /// Reads 13 characters of Crockford base32 in either case, `I` and `L` read as 1 and `O` as 0; nil for anything else or for a
    /// number outside 1 … 2⁶³ − 1.
    package init?(_ description: String) {
        let text = description.utf8
        guard text.count == 13 else { return nil }
        var value: UInt64 = 0
        for (index, character) in text.enumerated() {
            guard let digit = Self.digit(character), index > 0 || digit < 8 else { return nil }
            value = value << 5 | UInt64(digit)
        }
        guard value > 0, value <= UInt64(Int64.max) else { return nil }
        self.init(rawValue: Int64(value))
    }

    private static func digit(_ character: UInt8) -> Int? {
        let upper = character >= UInt8(ascii: "a") && character <= UInt8(ascii: "z") ? character - 32 : character
        switch upper {
        case UInt8(ascii: "I"), UInt8(ascii: "L"): return 1
        case UInt8(ascii: "O"): return 0
        default:
            return alphabet.withUTF8Buffer { $0.firstIndex(of: upper) }
        }
    }
}

/// Gives ids that never repeat or run backwards, whatever the clock does.
package struct RequestIDGenerator: Sendable {
    private let node: Int64
    private var last: Int64

    /// - Parameters:
    ///   - node: `NODE_ID`, 0 … 1023: what keeps the ids of several gateways apart.
    ///   - last: The largest id that exists already, 0 for none.
    package init(node: Int, last: Int64) {
        precondition((0..<1024).contains(node), "a node id has 10 bits")
        self.node = Int64(node)
        self.last = last
    }

    /// An id that exists already: the next is larger.
    package mutating func goOn(after id: Int64) { last = max(last, id) }

    /// The next id: the clock's, or the one after the last where the clock has not moved on (or stepped back).
    package mutating func next(milliseconds: Int64) -> RequestID {
        let clock = max(milliseconds - RequestID.epochMilliseconds, 0) << 22 | node << 12
        if clock > last {
            last = clock
        } else if last & 0xFFF < 0xFFF, (last >> 12) & 0x3FF == node {
            last += 1
        } else {
            // The millisecond's 4,096 are used up, or the file was another node's: borrow from the next millisecond.
            last = ((last >> 22) + 1) << 22 | node << 12
        }
        return RequestID(rawValue: max(last, 1))
    }
}
