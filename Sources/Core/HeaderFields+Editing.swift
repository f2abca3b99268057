package import NIOCore

extension HeaderFields {
    /// A copy in a block of its own without the lines for which `isDropped` holds, with room for lines that are to be added.
    ///
    /// For fields that are kept while a request waits: they no longer hold on to the buffer that they were read into.
    package func compacted(
        reserving extraBytes: Int,
        lines extraLines: Int,
        dropping isDropped: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) -> HeaderFields {
        var kept: [Line] = []
        kept.reserveCapacity(lines.count + extraLines)
        for index in lines.indices where !withLine(at: index, isDropped) { kept.append(lines[index]) }
        var copy = HeaderFields()
        copy.storage.reserveCapacity(storage.readableBytes + extraBytes)
        forEachRun(of: kept) { run, bytes in
            let start = copy.storage.writerIndex
            if let bytes {
                copy.storage.writeRaw(bytes)
                // What was read from storage moves from its place there to its place here.
                let shift = UInt32(truncatingIfNeeded: start) &- kept[run.lowerBound].nameStart
                for index in run {
                    kept[index].nameStart &+= shift
                    kept[index].valueStart &+= shift
                }
            } else {
                let line = kept[run.lowerBound]
                copy.storage.writeImmutableBuffer(slice(line.nameStart, line.nameLength))
                copy.storage.writeText(": ")
                let valueStart = copy.storage.writerIndex
                copy.storage.writeImmutableBuffer(slice(line.valueStart, line.valueLength))
                copy.storage.writeText("\r\n")
                kept[run.lowerBound].nameStart = UInt32(start)
                kept[run.lowerBound].valueStart = UInt32(valueStart)
            }
        }
        copy.lines = kept
        return copy
    }

    /// Adds a line at the end whose value `write` writes.
    /// - Precondition: What it writes holds no CR, LF or NUL.
    package mutating func append(_ name: StaticString, writing write: (_ value: inout ByteBuffer) -> Void) {
        let nameStart = storage.writerIndex
        let nameLength = storage.writeText(name)
        storage.writeText(": ")
        let valueStart = storage.writerIndex
        write(&storage)
        let valueLength = storage.writerIndex - valueStart
        storage.writeText("\r\n")
        lines.append(
            Line(nameStart: nameStart, nameLength: nameLength, valueStart: valueStart, valueLength: valueLength)
        )
    }

    private func slice(_ start: UInt32, _ length: UInt32) -> ByteBuffer {
        storage.getSlice(at: Int(start), length: Int(length))!
    }

    /// Calls `body` with runs of lines that stand one behind the other in ``storage``, and their bytes with the CRLF of each; with
    /// nil and a single line where there is white space between its value and its CRLF.
    func forEachRun(of lines: [Line], _ body: (_ run: Range<Int>, _ bytes: UnsafeRawBufferPointer?) -> Void) {
        storage.withUnsafeReadableBytes { bytes in
            var start = 0
            while start < lines.count {
                var last = start
                while last + 1 < lines.count, lines[last].valueEnd + 2 == Int(lines[last + 1].nameStart) { last += 1 }
                var end = lines[last].valueEnd
                if end + 1 < bytes.count, bytes[end] == 13, bytes[end + 1] == 10 {
                    end += 2
                } else if last > start {
                    last -= 1
                    end = lines[last].valueEnd + 2
                } else {
                    body(start..<start + 1, nil)
                    start += 1
                    continue
                }
                let run = UnsafeRawBufferPointer(rebasing: bytes[Int(lines[start].nameStart)..<end])
                body(start..<last + 1, run)
                start = last + 1
            }
        }
    }
}

extension HeaderFields.Line {
    fileprivate var valueEnd: Int { Int(valueStart) + Int(valueLength) }
}
