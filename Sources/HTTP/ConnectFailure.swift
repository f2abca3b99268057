import Core
import Glibc
import NIOCore
import NIOPosix

/// Why a client's connection did not come about: in words for people, and whose fault it is.
package struct ConnectFailure: Sendable {
    /// At each of the host's addresses that was tried; the first counts.
    private let attempts: [any Error]
    /// Why the host has none.
    private let lookup: (any Error)?

    /// - Parameter error: What NIO's bootstrap failed with.
    package init(_ error: any Error) {
        guard let error = error as? NIOConnectionError else {
            (attempts, lookup) = ([error], nil)
            return
        }
        attempts = error.connectionErrors.map(\.error)
        lookup = error.dnsAError ?? error.dnsAAAAError
    }

    /// Whether this machine is short of something, at any of the addresses: see ``NetworkFailure/isShortage(_:)``.
    package var isShortage: Bool { attempts.contains { NetworkFailure.isShortage($0) } }

    /// - Parameter place: Host and port.
    package func words(to place: String) -> String {
        switch (attempts.first, lookup) {
        case (let error as IOError, _) where error.errnoCode == ECONNREFUSED: "nobody listens at \(place)"
        case (let error?, _): "\(place) cannot be reached: \(NetworkFailure.words(of: error))"
        // The C library's words (gai_strerror(3)): that there is no such name, or that nobody who knows could be asked.
        case (nil, let error as SocketAddressError.UnknownHost):
            "no address was found for \(place): \(error.errorDescription)"
        case (nil, let error?): "no address was found for \(place): \(NetworkFailure.words(of: error))"
        case (nil, nil): "no address was found for \(place)"
        }
    }
}
