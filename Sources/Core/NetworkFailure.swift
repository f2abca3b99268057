import Glibc
import NIOCore

/// Why the network failed: in words for people, and whose fault it is.
package enum NetworkFailure {
    /// Whether this machine is short of something: file descriptors, memory, ports to connect from (accept(2), socket(2), connect(2)).
    package static func isShortage(_ error: any Error) -> Bool {
        guard let code = (error as? IOError)?.errnoCode else { return false }
        return [EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL].contains(code)
    }

    /// The system's words for its errors (errno(3)), without the function that met one; ours for what NIO calls by a name of its own; any
    /// other error's own.
    package static func words(of error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout(let time): "no connection within \(Double(time.nanoseconds) / 1e9) s"
        case ChannelError.eof, ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed: "the connection has ended"
        default: "\(error)"
        }
    }
}
