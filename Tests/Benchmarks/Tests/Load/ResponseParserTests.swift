import Load
import NIOCore
import Testing

@Suite("Answers are read from bytes")
struct ResponseParserTests {
    @Test(
        "A fixed length, chunks and an empty answer on one connection, however the bytes are split",
        arguments: [1, 2, 7, 4096]
    )
    func readsAnswers(split: Int) throws {
        let bytes =
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nNeutrino-Request-Id: 0ABC\r\n\r\nhello"
            + "HTTP/1.1 100 Continue\r\n\r\n"
            + "HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"
            + "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
        var parser = ResponseParser(skipsBodies: false)
        var statuses: [Int] = []
        var bodies = [""]
        var ids: [String?] = []
        var rest = ByteBuffer(string: bytes)
        while rest.readableBytes > 0, let part = rest.readSlice(length: min(split, rest.readableBytes)) {
            parser.feed(part)
            while let event = try parser.next() {
                switch event {
                case .head(let head):
                    statuses.append(head.status)
                    ids.append(head.field("neutrino-request-id"))
                case .body(let body): bodies[bodies.count - 1] += String(buffer: body)
                case .end: bodies.append("")
                }
            }
        }
        #expect(statuses == [200, 503, 204])
        #expect(ids == ["0ABC", nil, nil])
        #expect(bodies == ["hello", "abcde", "", ""])
        let endedByClose = parser.close()
        #expect(!endedByClose)
    }

    @Test("An answer without a length ends with its connection")
    func readsUntilClose() throws {
        var parser = ResponseParser(skipsBodies: true)
        parser.feed(ByteBuffer(string: "HTTP/1.0 200 OK\r\n\r\nall of it"))
        guard case .head(let head) = try parser.next() else {
            Issue.record("no head")
            return
        }
        #expect(!head.keepsAlive)
        let more = try parser.next()
        #expect(more == nil)
        let endedByClose = parser.close()
        #expect(endedByClose)
    }

    @Test("What is not HTTP ends the connection")
    func refusesOthers() {
        var parser = ResponseParser(skipsBodies: true)
        parser.feed(ByteBuffer(string: "SSH-2.0-OpenSSH_9.2\r\n\r\n"))
        #expect(throws: ResponseParser.Problem.notAnAnswer) { try parser.next() }
    }

    @Test("The checksum is zlib's")
    func checksum() {
        var sum = CRC32()
        sum.update(ByteBuffer(string: "123456"))
        sum.update(ByteBuffer(string: "789"))
        #expect(sum.value == 0xCBF4_3926)
    }

    @Test("Load goes to this machine only", arguments: ["10.0.0.1:80", "192.168.1.1:80", "1.1.1.1:80"])
    func refusesOtherMachines(target: String) {
        #expect(throws: Target.Problem.self) { try Target(target) }
    }
}
