import NIOCore
import Testing

@testable import Discovery

@Suite("What is read of a name server's message")
struct DNSMessageTests {
    /// Numbers that are the same at every run, so that a message that breaks the reader breaks it again.
    private struct Lehmer: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            // Knuth's MMIX constants; the high half of two steps, since the low bits of one are poor.
            func step() -> UInt64 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return state >> 32
            }
            return step() << 32 | step()
        }
    }

    @Test("no message, however broken, is more than refused")
    func brokenMessages() throws {
        let question = try #require(DNSMessage.question("pods.test", .address, id: 7))
        var good = ByteBuffer()
        good.writeMultipleIntegers(UInt16(7), UInt16(0x8180), UInt16(1), UInt16(1), UInt16(0), UInt16(0))
        good.writeImmutableBuffer(question.getSlice(at: 12, length: question.readableBytes - 12)!)
        good.writeMultipleIntegers(UInt16(0xC00C), UInt16(1), UInt16(1), UInt32(5), UInt16(4))
        good.writeBytes([10, 0, 0, 1])
        let record = DNSMessage.Record(name: "pods.test", lifetime: 5, content: .address("10.0.0.1"))
        #expect(DNSMessage.answer(good, to: question)?.records == [record])
        let bytes = Array(good.readableBytesView)
        // From the end of the question on it is the answer, and broken.
        let broken = DNSMessage.Answer(isTruncated: false, isBroken: true, code: 0, records: [])
        for count in 0..<bytes.count {
            let answer = DNSMessage.answer(ByteBuffer(bytes: bytes[..<count]), to: question)
            #expect(answer == (count < question.readableBytes ? nil : broken))
        }
        var generator = Lehmer(state: 1035)
        for _ in 0..<20_000 {
            var spoiled = bytes
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                spoiled[Int.random(in: 0..<spoiled.count, using: &generator)] = UInt8.random(
                    in: 0...255,
                    using: &generator
                )
            }
            _ = DNSMessage.answer(ByteBuffer(bytes: spoiled), to: question)
        }
        // A name that points to itself, and one that points ahead.
        for pointer in [[0xC0, 0x1B], [0xC0, 0x40]] as [[UInt8]] {
            var circular = Array(bytes[..<27])
            circular += pointer + bytes[29...]
            #expect(DNSMessage.answer(ByteBuffer(bytes: circular), to: question) == broken)
        }
        // A label with a pointer to itself behind it: it points backwards, and never ends by that alone.
        let circular = Array(bytes[..<12]) + [1, 97, 0xC0, 0x0C] + bytes[24...]
        #expect(DNSMessage.answer(ByteBuffer(bytes: circular), to: question) == nil)
        // Someone else's answer: another id, another name.
        var other = bytes
        other[1] = 8
        #expect(DNSMessage.answer(ByteBuffer(bytes: other), to: question) == nil)
        let elsewhere = try #require(DNSMessage.question("pods.tesu", .address, id: 7))
        #expect(DNSMessage.answer(good, to: elsewhere) == nil)
        #expect(DNSMessage.question("a..b", .address, id: 1) == nil)
        #expect(DNSMessage.question(String(repeating: "a", count: 64), .address, id: 1) == nil)
    }
}
