import Core
import NIOCore
import Testing

@Suite("Header fields")
struct HeaderFieldsTests {
    private let fields = HeaderFields([("Host", "a"), ("X-One", "1"), ("x-one", "2"), ("Accept", "*/*")])

    private func written(_ fields: HeaderFields) -> String {
        var buffer = ByteBuffer()
        fields.write(into: &buffer)
        #expect(buffer.readableBytes == fields.byteCount)
        return String(buffer: buffer)
    }

    @Test("names are found in any case, values in order")
    func finds() {
        #expect(fields.first("HOST") == "a")
        #expect(fields.values("X-ONE") == ["1", "2"])
        #expect(fields.count(of: "x-one") == 2)
        #expect(!fields.contains("X-On"))
        #expect(fields.first("Missing") == nil)
    }

    @Test("untouched fields are written as they came")
    func writesUntouched() {
        #expect(written(fields) == "Host: a\r\nX-One: 1\r\nx-one: 2\r\nAccept: */*\r\n")
    }

    @Test("removed lines are gone, and others keep their order")
    func removes() {
        var fields = fields
        fields.removeAll(named: "X-One")
        fields.append("Via", "1.1 neutrino")
        #expect(written(fields) == "Host: a\r\nAccept: */*\r\nVia: 1.1 neutrino\r\n")
        #expect(fields.count == 3)
    }

    @Test("an adopted block is read through its index")
    func adopts() {
        let block = ByteBuffer(string: "A:  b \r\nC: d\r\n")
        let fields = HeaderFields(
            adopting: block,
            lines: [
                .init(nameStart: 0, nameLength: 1, valueStart: 4, valueLength: 1),
                .init(nameStart: 8, nameLength: 1, valueStart: 11, valueLength: 1),
            ]
        )
        #expect(fields.first("a") == "b")
        #expect(fields.first("c") == "d")
        #expect(written(fields) == "A:  b \r\nC: d\r\n")
    }

    @Test("letters alone are compared without case")
    func comparesLetters() {
        #expect(HeaderFields([("[x]", "1")]).count(of: "{X}") == 0)
        #expect(HeaderFields([("@", "1")]).count(of: "`") == 0)
    }

    @Test("lists are split at commas, white space and empty members dropped")
    func lists() {
        var members: [String] = []
        Array(" a, ,b\t,c,".utf8).withUnsafeBytes { bytes in
            bytes.forEachListMember { members.append(String(decoding: $0, as: UTF8.self)) }
        }
        #expect(members == ["a", "b", "c"])
    }
}
