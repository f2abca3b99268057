import Glibc
import NIOCore
import Testing

@testable import Core

@Suite("Whose fault a network failure is")
struct NetworkFailureTests {
    @Test("what this machine lacks is not the other side's fault", arguments: [EMFILE, ENFILE, ENOMEM, EADDRNOTAVAIL])
    func shortage(code: CInt) {
        #expect(NetworkFailure.isShortage(IOError(errnoCode: code, reason: "socket")))
    }

    @Test("what the other side refuses or does not answer is", arguments: [ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH])
    func others(code: CInt) {
        #expect(!NetworkFailure.isShortage(IOError(errnoCode: code, reason: "connect")))
        #expect(!NetworkFailure.isShortage(ChannelError.connectTimeout(.seconds(2))))
    }

    @Test("it is told without the names of functions, numbers and types")
    func words() {
        let refused = IOError(errnoCode: ECONNREFUSED, reason: "so_error: Connection refused")
        #expect(NetworkFailure.words(of: refused) == "Connection refused")
        #expect(
            NetworkFailure.words(of: ChannelError.connectTimeout(.milliseconds(1500))) == "no connection within 1.5 s"
        )
        #expect(NetworkFailure.words(of: ChannelError.eof) == "the connection has ended")
    }
}
