import Glibc

/// A port of 127.0.0.1 that is kept for whoever listens there with SO_REUSEADDR, also between two times that they do.
///
/// A socket is bound to it and does not listen: with SO_REUSEADDR at both, that keeps no listener away (socket(7)), while the system gives
/// the port neither to a connection nor to somebody who asks for any. Nobody can connect to it while no listener is there.
final class ReservedPort: Sendable {
    let number: Int
    private let descriptor: CInt

    init() throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        var on: CInt = 1
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutableBytes(of: &address) { bytes in
            let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size)) == 0
                && bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
        }
        number = Int(UInt16(bigEndian: address.sin_port))
        guard isBound else { throw Failure(code: errno) }
    }

    deinit { close(descriptor) }

    private struct Failure: Error {
        let code: CInt
    }
}
