package import NIOCore

/// The field lines of a message's head, or its trailers, as one block of bytes and an index into it.
///
/// The bytes are kept as they came, in order and in their case, so that what is not touched is passed on unchanged, in one copy
/// and without a string for each field. Removing a line only drops it from the index. Names are compared as ASCII without regard
/// to case (RFC 9110 §5.1). Whoever adds lines guarantees that they hold no CR, LF or NUL; ``append(_:_:)`` checks it.
package struct HeaderFields: Sendable {
    /// Where one field line is in ``storage``, in bytes from its reader index at 0.
    package struct Line: Sendable {
        package var nameStart: UInt32
        package var nameLength: UInt32
        /// Without the white space around it.
        package var valueStart: UInt32
        package var valueLength: UInt32

        package init(nameStart: Int, nameLength: Int, valueStart: Int, valueLength: Int) {
            self.nameStart = UInt32(truncatingIfNeeded: nameStart)
            self.nameLength = UInt32(truncatingIfNeeded: nameLength)
            self.valueStart = UInt32(truncatingIfNeeded: valueStart)
            self.valueLength = UInt32(truncatingIfNeeded: valueLength)
        }

        /// The line's name.
        /// - Parameter bytes: Of ``HeaderFields/storage``.
        @inlinable @inline(__always)
        func name(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[Int(nameStart)..<Int(nameStart) + Int(nameLength)])
        }

        /// The line's value, without the white space around it.
        /// - Parameter bytes: Of ``HeaderFields/storage``.
        @inlinable @inline(__always)
        func value(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[Int(valueStart)..<Int(valueStart) + Int(valueLength)])
        }
    }

    /// `Name: value CRLF` once for each line ever added, removed ones included; reader index 0.
    @usableFromInline var storage: ByteBuffer
    @usableFromInline var lines: [Line]
    /// Whether ``storage`` holds lines that ``lines`` no longer has, or lines that are not written as `Name: value CRLF`.
    var hasGaps = false

    package init() {
        storage = ByteBuffer()
        lines = []
    }

    /// Adopts a block of complete field lines, each ended by CRLF, and the index of all of them.
    /// - Precondition: `block` has its reader index at 0 (``NIOCore/ByteBuffer/slice()`` makes it so).
    package init(adopting block: ByteBuffer, lines: [Line]) {
        precondition(block.readerIndex == 0, "a block of fields begins at 0")
        storage = block
        self.lines = lines
    }

    package init(_ pairs: [(String, String)]) {
        self.init()
        for (name, value) in pairs { append(name, value) }
    }

    package var count: Int { lines.count }
    package var isEmpty: Bool { lines.isEmpty }

    /// The bytes that ``write(into:)`` adds, near enough to reserve room (white space within lines is not counted exactly).
    package var byteCount: Int {
        hasGaps ? lines.reduce(0) { $0 + Int($1.nameLength) + Int($1.valueLength) + 4 } : storage.readableBytes
    }

    // MARK: Reading

    /// Calls `body` with the bytes of each line's name and value, in order. The pointers are valid only during the call.
    @inlinable @inline(__always)
    package func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        storage.withUnsafeReadableBytes { bytes in
            for line in lines { body(line.name(in: bytes), line.value(in: bytes)) }
        }
    }

    /// Calls `body` with the bytes of the name and value of the line at an index.
    @inlinable @inline(__always)
    package func withLine<Result>(
        at index: Int,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Result
    ) -> Result {
        let line = lines[index]
        return storage.withUnsafeReadableBytes { bytes in body(line.name(in: bytes), line.value(in: bytes)) }
    }

    /// The value of the first line of that name, nil without one. Bytes that are not UTF-8 are replaced.
    package func first(_ name: StaticString) -> String? {
        for index in lines.indices {
            let value: String? = withLine(at: index) { lineName, value in
                lineName.equalsIgnoringCase(name) ? String(decoding: value, as: UTF8.self) : nil
            }
            if let value { return value }
        }
        return nil
    }

    /// The values of all lines of that name, in order.
    package func values(_ name: StaticString) -> [String] {
        var values: [String] = []
        forEach { lineName, value in
            if lineName.equalsIgnoringCase(name) { values.append(String(decoding: value, as: UTF8.self)) }
        }
        return values
    }

    /// How many lines have that name.
    package func count(of name: StaticString) -> Int {
        var count = 0
        forEach { lineName, _ in
            if lineName.equalsIgnoringCase(name) { count += 1 }
        }
        return count
    }

    package func contains(_ name: StaticString) -> Bool {
        for index in lines.indices where withLine(at: index, { lineName, _ in lineName.equalsIgnoringCase(name) }) {
            return true
        }
        return false
    }

    /// Names and values as strings, in order; for what is not the hot path.
    package var pairs: [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        forEach { pairs.append((String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self))) }
        return pairs
    }

    // MARK: Changing

    /// Adds a line at the end.
    /// - Precondition: Neither part holds CR, LF or NUL: what comes from outside is checked before.
    package mutating func append(_ name: String, _ value: String) {
        append(name: name.utf8, value: value.utf8)
    }

    /// Adds a line at the end, from bytes.
    /// - Precondition: Neither part holds CR, LF or NUL.
    package mutating func append(name: some Collection<UInt8>, value: some Collection<UInt8>) {
        precondition(
            !name.contains(where: { $0 == 13 || $0 == 10 || $0 == 0 })
                && !value.contains(where: { $0 == 13 || $0 == 10 || $0 == 0 }),
            "a field line holds no CR, LF or NUL"
        )
        let nameStart = storage.writerIndex
        let nameLength = storage.writeBytes(name)
        storage.writeText(": ")
        let valueStart = storage.writerIndex
        let valueLength = storage.writeBytes(value)
        storage.writeText("\r\n")
        lines.append(
            Line(nameStart: nameStart, nameLength: nameLength, valueStart: valueStart, valueLength: valueLength)
        )
    }

    /// Removes the lines for which `predicate` holds.
    package mutating func removeAll(
        where predicate: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) {
        var kept = 0
        for index in lines.indices where !withLine(at: index, predicate) {
            if kept != index { lines[kept] = lines[index] }
            kept += 1
        }
        guard kept < lines.count else { return }
        lines.removeSubrange(kept...)
        hasGaps = true
    }

    /// Removes the lines of that name.
    package mutating func removeAll(named name: StaticString) {
        removeAll { lineName, _ in lineName.equalsIgnoringCase(name) }
    }

    /// Writes every line, ended by CRLF, without the empty line that ends a head.
    package func write(into buffer: inout ByteBuffer) {
        guard hasGaps else {
            buffer.writeImmutableBuffer(storage)
            return
        }
        buffer.reserveCapacity(minimumWritableBytes: byteCount)
        forEachRun(of: lines) { run, bytes in
            if let bytes {
                buffer.writeRaw(bytes)
            } else {
                withLine(at: run.lowerBound) { name, value in
                    buffer.writeBytes(name)
                    buffer.writeText(": ")
                    buffer.writeBytes(value)
                    buffer.writeText("\r\n")
                }
            }
        }
    }
}

extension HeaderFields: CustomStringConvertible {
    package var description: String { pairs.map { "\($0.name): \($0.value)" }.joined(separator: "\n") }
}

extension UnsafeRawBufferPointer {
    /// Whether these bytes are that ASCII text, in any case (RFC 9110 §5.1).
    @inlinable
    package func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let other = UnsafeRawBufferPointer(start: text.utf8Start, count: count)
        return equalsIgnoringCase(other)
    }

    /// Whether both are the same ASCII text, in any case.
    @inlinable
    package func equalsIgnoringCase(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count {
            let (mine, theirs) = (self[index], other[index])
            guard mine != theirs else { continue }
            guard mine ^ theirs == 0x20, (mine | 0x20) &- 97 < 26 else { return false }
        }
        return true
    }

    /// Calls `body` with each member of a comma-separated list, without the white space around it; empty members are passed over
    /// (RFC 9110 §5.6.1). Quoted strings are not looked into: for lists of tokens.
    @inlinable
    package func forEachListMember(_ body: (UnsafeRawBufferPointer) -> Void) {
        var start = 0
        while start <= count {
            var end = start
            while end < count, self[end] != UInt8(ascii: ",") { end += 1 }
            var (low, high) = (start, end)
            while low < high, self[low] == 0x20 || self[low] == 0x09 { low += 1 }
            while low < high, self[high - 1] == 0x20 || self[high - 1] == 0x09 { high -= 1 }
            if low < high { body(UnsafeRawBufferPointer(rebasing: self[low..<high])) }
            start = end + 1
        }
    }
}
