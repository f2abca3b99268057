package import NIOCore

/// What ``CurlClient`` sends: one exchange, whose answer is taken whole.
package struct CurlRequest: Sendable {
    package var method = "GET"
    /// `http` or `https`; nothing else is spoken.
    package var url: String
    package var fields: [(name: String, value: String)] = []
    package var body: [UInt8]?

    /// Where to connect (`host:port`, IPv6 in brackets) in place of the URL's host, which stays the name that the certificate is
    /// verified against and that is sent as SNI and `Host`.
    package var connectTo: String?
    /// Whether the host to connect to is an address, so that no name is looked up.
    package var isAddress = false
    /// Certificates (PEM) to verify against in place of the system's.
    package var caFile: String?
    /// For name resolution, connection and TLS handshake.
    package var connectTimeout: TimeAmount = .seconds(2)
    /// For the exchange as a whole.
    package var timeout: TimeAmount = .seconds(30)
    /// The largest body that is read, in bytes.
    package var maximumBytes = 1 << 20

    package init(url: String) { self.url = url }
}

/// What came back.
package struct CurlResponse: Sendable {
    package var status: Int
    /// Within ``CurlRequest/maximumBytes``.
    package var body: [UInt8]
}

/// An exchange that was begun with a callback, to be able to cancel it.
package final class CurlCall: @unchecked Sendable {
    // `@unchecked`: read and written on the client's thread only.
    enum State {
        case new
        case underWay(CurlTransfer)
        case ended
    }

    var state = State.new

    package init() {}
}
