package import NIOCore

/// CRC-32 as zlib, gzip and PNG have it, eight bytes at a time (Kounavis and Berry: "Slicing-by-8", 2008).
package struct CRC32: Sendable {
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            tables[byte] = (0..<8).reduce(UInt32(byte)) { value, _ in
                value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
            }
        }
        for index in 256..<tables.count {
            let before = tables[index - 256]
            tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
        }
        return tables
    }()

    private var state = UInt32.max

    package init() {}

    package var value: UInt32 { ~state }

    package mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { update($0) }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let whole = bytes.count & ~7
        var crc = state
        Self.tables.withUnsafeBufferPointer { table in
            var index = 0
            while index < whole {
                let word =
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) ^ UInt64(crc)
                crc = 0
                for lane in 0..<8 {
                    crc ^= table[(7 - lane) * 256 + Int(truncatingIfNeeded: word >> (8 * UInt64(lane))) & 0xFF]
                }
                index += 8
            }
            while index < bytes.count {
                crc = crc >> 8 ^ table[Int(crc & 0xFF ^ UInt32(bytes[index]))]
                index += 1
            }
        }
        state = crc
    }
}
