import Glibc
import NIOCore

/// Why nobody can listen at an address, in words for the person who configured it.
package enum ListeningFailure: Sendable {
    case inUse
    case notOurs
    case notPermitted
    case unknownName
    case other(any Error)

    package init(_ error: any Error) {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: self = .inUse
        case EADDRNOTAVAIL: self = .notOurs
        case EACCES, EPERM: self = .notPermitted
        case nil where error is SocketAddressError: self = .unknownName
        default: self = .other(error)
        }
    }

    package var words: String {
        switch self {
        case .inUse: "another process listens there"
        case .notOurs: "the address is not one of this machine's"
        case .notPermitted: "this process may not use that port"
        case .unknownName: "the name has no address"
        case .other(let error): "\(error)"
        }
    }
}
