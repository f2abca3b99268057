import Core
import Testing

@Suite("Request ids")
struct RequestIDTests {
    @Test(
        "an id's text is 13 characters of Crockford base32 and reads back",
        arguments: [1, 31, 32, 1 << 40, Int64.max]
    )
    func textReadsBack(raw: Int64) throws {
        let id = RequestID(rawValue: raw)
        #expect(id.description.count == 13)
        #expect(RequestID(id.description) == id)
        #expect(RequestID(id.description.lowercased()) == id)
    }

    @Test("I and L are read as 1, O as 0")
    func readsLookAlikes() {
        #expect(RequestID("00000000000il") == RequestID(rawValue: 33))
        #expect(RequestID("OOOOOOOOOOOO1") == RequestID(rawValue: 1))
    }

    @Test(
        "what is no id is refused",
        arguments: [
            "", "1", "0000000000000", "00000000000001", "000000000000U", "zzzzzzzzzzzzz", "8000000000000",
            "00000000000 1",
        ]
    )
    func refusesNonsense(text: String) {
        #expect(RequestID(text) == nil)
    }

    @Test("ids only grow, whatever the clock does")
    func idsGrow() {
        var generator = RequestIDGenerator(node: 5, last: 0)
        let now = RequestID.epochMilliseconds + 1_000_000
        var last = RequestID(rawValue: 0)
        for step in 0..<20_000 {
            // Forward, back, and still for longer than the 4,096 numbers of a millisecond last.
            let clock = now + Int64(step / 6_000) - (step % 7 == 0 ? 5_000 : 0)
            let id = generator.next(milliseconds: clock)
            #expect(id > last)
            #expect(id.node == 5)
            last = id
        }
    }

    @Test("ids go on behind the largest that exists, even one of another node or of the future")
    func idsFollowTheDatabase() {
        let future = RequestID.lowest(atMilliseconds: RequestID.epochMilliseconds + 5_000).rawValue | 9 << 12 | 0xFFF
        var generator = RequestIDGenerator(node: 1, last: future)
        let id = generator.next(milliseconds: RequestID.epochMilliseconds + 10)
        #expect(id.rawValue > future)
        #expect(id.node == 1)
        #expect(generator.next(milliseconds: 0) > id)
    }

    @Test("an id tells its time and node")
    func idTellsItsParts() {
        var generator = RequestIDGenerator(node: 1023, last: 0)
        let id = generator.next(milliseconds: 1_790_000_000_123)
        #expect(id.milliseconds == 1_790_000_000_123)
        #expect(id.node == 1023)
        #expect(RequestID.lowest(atMilliseconds: 1_790_000_000_123) <= id)
        #expect(RequestID.lowest(atMilliseconds: 1_790_000_000_124) > id)
    }
}
