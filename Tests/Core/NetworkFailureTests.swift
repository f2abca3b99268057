import Core
import Glibc
import NIOCore
import Testing

@Suite("Failures of the network, in words")
struct NetworkFailureTests {
    @Test("the system's errors are told by what they mean, not by who met them")
    func words() {
        let reset = IOError(errnoCode: ECONNRESET, reason: "read(descriptor:pointer:size:)")
        #expect(NetworkFailure.words(of: reset) == "Connection reset by peer")
        #expect(NetworkFailure.words(of: ChannelError.eof) == "\(ChannelError.eof)")
    }
}
