import Core
import NIOCore
import Testing

@Suite struct HeaderFieldsEditingTests {
    /// Fields as a codec reads them: a block and its index.
    private static func adopted(_ block: String) -> HeaderFields {
        var lines: [HeaderFields.Line] = []
        var start = 0
        for line in block.split(separator: "\r\n") {
            let colon = line.utf8.distance(from: line.startIndex, to: line.firstIndex(of: ":")!)
            let value = line.utf8.dropFirst(colon + 1)
            let leading = value.prefix { $0 == 0x20 }.count
            let trailing = value.dropFirst(leading).reversed().prefix { $0 == 0x20 }.count
            lines.append(
                HeaderFields.Line(
                    nameStart: start,
                    nameLength: colon,
                    valueStart: start + colon + 1 + leading,
                    valueLength: value.count - leading - trailing
                )
            )
            start += line.utf8.count + 2
        }
        return HeaderFields(adopting: ByteBuffer(string: block), lines: lines)
    }

    private static func written(_ fields: HeaderFields) -> String {
        var buffer = ByteBuffer()
        fields.write(into: &buffer)
        #expect(buffer.readableBytes == buffer.writerIndex)
        return String(buffer: buffer)
    }

    static let block = "A: 1\r\nB:2\r\nC:  3  \r\nD: \r\nE: 5\r\nF: 6 \r\n"
    static let names = ["A", "B", "C", "D", "E", "F"]

    @Test("Whatever lines are dropped, the rest is written and read as before", arguments: 0..<64)
    func dropping(mask: Int) {
        let fields = Self.adopted(Self.block)
        let dropped = Self.names.enumerated().filter { mask & 1 << $0.offset != 0 }.map(\.element)
        let expected = fields.pairs.filter { !dropped.contains($0.name) }.map { "\($0.name): \($0.value)" }

        var removed = fields
        removed.removeAll { name, _ in dropped.contains(String(decoding: name, as: UTF8.self)) }
        let compacted = fields.compacted(reserving: 0, lines: 0) { name, _ in
            dropped.contains(String(decoding: name, as: UTF8.self))
        }
        let twice = removed.compacted(reserving: 10, lines: 1) { _, _ in false }
        for result in [removed, compacted, twice] {
            #expect(result.pairs.map { "\($0.name): \($0.value)" } == expected)
            let read = Self.adopted(Self.written(result))
            #expect(read.pairs.map { "\($0.name): \($0.value)" } == expected)
        }
    }

    @Test("Lines can be added behind a compacted block")
    func adding() {
        var fields = Self.adopted(Self.block).compacted(reserving: 20, lines: 2) { name, _ in
            name.equalsIgnoringCase("c")
        }
        fields.append("New") { $0.writeDecimal(7) }
        fields.append("Last", "x")
        #expect(fields.first("new") == "7" && fields.first("b") == "2")
        #expect(Self.written(fields) == "A: 1\r\nB:2\r\nD: \r\nE: 5\r\nF: 6\r\nNew: 7\r\nLast: x\r\n")
    }

    @Test("A compacted copy does not hold on to the buffer that it was read into")
    func independence() {
        let fields = Self.adopted(Self.block)
        let copy = fields.compacted(reserving: 0, lines: 0) { _, _ in false }
        fields.withLine(at: 0) { original, _ in
            copy.withLine(at: 0) { copied, _ in #expect(original.baseAddress != copied.baseAddress) }
        }
    }
}
