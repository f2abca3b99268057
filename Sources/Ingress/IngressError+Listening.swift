import Glibc
import NIOCore

extension IngressError {
    static let listenerClosed = IngressError(.cannotListen, "the listener for clients was closed")

    /// Says in words why nobody can listen at an address.
    init(listeningAt host: String, _ port: Int, failed error: any Error) {
        let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            self.init(.addressInUse, "cannot listen for clients at \(address): another process listens there")
        case EADDRNOTAVAIL:
            self.init(
                .addressUnusable,
                "cannot listen for clients at \(address): the address is not one of this machine's"
            )
        case EACCES, EPERM:
            self.init(.notPermitted, "cannot listen for clients at \(address): this process may not use that port")
        case nil where error is SocketAddressError:
            self.init(
                .addressUnusable,
                "cannot listen for clients at \(address): the name has no address",
                cause: error
            )
        default:
            self.init(.cannotListen, "cannot listen for clients at \(address)", cause: error)
        }
    }
}
