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
}
