import HTTP
import NIOCore
import Testing

@Suite("The field traceparent")
struct TraceParentTests {
    private func read(_ text: String) -> TraceParent? {
        var text = text
        return text.withUTF8 { TraceParent(UnsafeRawBufferPointer($0)) }
    }

    @Test("is read and written back", arguments: ["01", "00"])
    func roundTrip(flags: String) throws {
        let text = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-\(flags)"
        let parent = try #require(read(text))
        #expect(parent.description == text)
        #expect(parent.traceID == "0af7651916cd43dd8448eb211c80319c")
        #expect(parent.spanID == "00f067aa0ba902b7")
        #expect(parent.isSampled == (flags == "01"))
    }

    @Test("of a later version or with other flags is written as version 00 with the one flag that it has")
    func later() throws {
        let parent = try #require(read("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more"))
        #expect(parent.flags == 0xff)
        #expect(parent.description == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    }

    @Test(
        "that is not valid is not read",
        arguments: [
            "", "00", "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        ]
    )
    func invalid(text: String) {
        #expect(read(text) == nil)
    }

    @Test("that begins here is one that can be read")
    func begins() throws {
        var buffer = ByteBuffer()
        var generator = SystemRandomNumberGenerator()
        TraceParent.begin(into: &buffer, generator: &generator)
        let parent = try #require(buffer.withUnsafeReadableBytes { TraceParent($0) })
        #expect(parent.isSampled)
        #expect(parent.description == String(buffer: buffer))
    }
}
