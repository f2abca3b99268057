package import NIOCore

extension ByteBuffer {
    /// Writes a text. For the hot path: heads are written from many, and NIO's `writeStaticString` takes several times the instructions.
    /// - Returns: How many bytes.
    @discardableResult
    package mutating func writeText(_ text: StaticString) -> Int {
        writeRaw(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Writes bytes, which are not this buffer's own. For the hot path, as ``writeText(_:)``: NIO's `writeBytes` is for any collection.
    /// - Returns: How many.
    @discardableResult
    package mutating func writeRaw(_ bytes: UnsafeRawBufferPointer) -> Int {
        writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count) { room in
            room.copyMemory(from: bytes)
            return bytes.count
        }
    }

    /// Writes a number in decimal, without allocating.
    package mutating func writeDecimal(_ number: Int) {
        // 20 digits of UInt64 and a sign.
        withUnsafeTemporaryAllocation(byteCount: 21, alignment: 1) { digits in
            var start = digits.count
            var rest = number.magnitude
            repeat {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)
                rest = quotient
            } while rest > 0
            if number < 0 {
                start -= 1
                digits[start] = UInt8(ascii: "-")
            }
            writeRaw(UnsafeRawBufferPointer(rebasing: digits[start...]))
        }
    }

    /// Writes thousandths as people write them: `1`, `0.5`, `16.25`; without allocating.
    package mutating func writeThousandths(_ thousandths: Int64) {
        let (whole, remainder) = thousandths.quotientAndRemainder(dividingBy: 1000)
        if thousandths < 0, whole == 0 { writeText("-") }
        writeDecimal(Int(whole))
        guard remainder != 0 else { return }
        var rest = abs(remainder)
        writeText(".")
        var divisor: Int64 = 100
        while rest > 0 {
            writeInteger(UInt8(ascii: "0") + UInt8(rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }
}
