import Glibc

// Eight bytes at a time: Hacker's Delight (Warren), 6-1. A byte that is found is marked by its highest bit; a borrow can mark bytes above
// the first that is found, never one below it.

private let ones: UInt64 = 0x0101_0101_0101_0101
private let highBits: UInt64 = 0x8080_8080_8080_8080

extension UInt64 {
    /// Marks bytes below `limit`, which is at most 128.
    @inline(__always)
    fileprivate func bytesBelow(_ limit: UInt64) -> UInt64 { (self &- ones &* limit) & ~self & highBits }

    /// Marks bytes equal to `byte`.
    @inline(__always)
    fileprivate func bytesEqual(to byte: UInt64) -> UInt64 {
        let difference = self ^ (ones &* byte)
        return (difference &- ones) & ~difference & highBits
    }

    /// Whether there is a byte above `limit`, which is at most 127.
    @inline(__always)
    fileprivate func hasByteAbove(_ limit: UInt64) -> Bool { ((self &+ ones &* (127 - limit)) | self) & highBits != 0 }
}

extension UnsafeRawPointer {
    /// The first byte that may not stand in a field value (RFC 9110 §5.5): a control character other than a tab, or DEL; `end` where there
    /// is none.
    @inline(__always)
    func firstControl(from start: Int, to end: Int) -> Int {
        var index = start
        while index + 8 <= end {
            let word = UInt64(littleEndian: loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let found = word.bytesBelow(0x20) | word.bytesEqual(to: 0x7F)
            guard found != 0 else {
                index += 8
                continue
            }
            index += found.trailingZeroBitCount >> 3
            guard load(fromByteOffset: index, as: UInt8.self) == 0x09 else { return index }
            index += 1
        }
        while index < end {
            let byte = load(fromByteOffset: index, as: UInt8.self)
            if byte < 0x20 && byte != 0x09 || byte == 0x7F { return index }
            index += 1
        }
        return end
    }
}

extension UnsafeRawBufferPointer {
    /// The first place of a byte from `start` on.
    @inline(__always)
    func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        guard start < count, let base = baseAddress, let found = memchr(base + start, Int32(byte), count - start) else {
            return nil
        }
        return UnsafeRawPointer(found) - base
    }

    /// Whether there are only visible ASCII characters other than `#`: what a request target may hold.
    @inline(__always)
    var isTargetText: Bool {
        guard let base = baseAddress else { return true }
        var index = 0
        while index + 8 <= count {
            let word = base.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            guard word.bytesBelow(0x21) == 0, !word.hasByteAbove(0x7E),
                word.bytesEqual(to: UInt64(UInt8(ascii: "#"))) == 0
            else { return false }
            index += 8
        }
        let table = ByteClass.table
        while index < count {
            guard table[Int(self[index])] & ByteClass.target != 0 else { return false }
            index += 1
        }
        return true
    }
}
