package import NIOCore

/// Where load goes: an address of this machine, nowhere else.
package struct Target: Sendable {
    package let address: SocketAddress
    /// For `Host`.
    package let authority: String

    package enum Problem: Error, CustomStringConvertible {
        case malformed(String)
        case notLoopback(String)

        package var description: String {
            switch self {
            case .malformed(let text): "\(text) is no target: HOST:PORT is needed"
            case .notLoopback(let host): "\(host) is not a loopback address: load goes to this machine only"
            }
        }
    }

    /// Reads `127.0.0.1:8080` or `[::1]:8080`.
    package init(_ text: String) throws {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            throw Problem.malformed(text)
        }
        let name = text[..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
        let host = name == "localhost" ? "127.0.0.1" : String(name)
        address = try SocketAddress(ipAddress: host, port: port)
        guard host.hasPrefix("127.") || host == "::1" else { throw Problem.notLoopback(host) }
        authority = text
    }
}
