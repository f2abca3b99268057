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
    /// Shown where the other end asks for one. Read for each connection.
    package var clientCertificate: ClientCertificateFiles?
    /// In place of ``caFile`` and ``clientCertificate``: the bytes of PEM files.
    package var tls: CurlTLS?
    /// For name resolution, connection and TLS handshake.
    package var connectTimeout: TimeAmount = .seconds(2)
    /// For the exchange as a whole.
    package var timeout: TimeAmount = .seconds(30)
    /// The longest time without a byte of the answer, in whole seconds, before it ends with ``PodsError/Code/timedOut``; nil for none
    /// but ``timeout``.
    package var maximumSilence: Int?
    /// The largest body that is read, in bytes; of one that ``sink`` takes, none counts.
    package var maximumBytes = 1 << 20
    /// Whether the answer's fields are wanted.
    package var keepsFields = false
    /// Takes the body of an answer whose status is 2xx part by part, on the client's thread, in place of ``CurlResponse/body``; false ends
    /// the exchange with ``PodsError/Code/transferFailed``. It is called once without bytes when the answer's head is there. For programs that do
    /// one thing at a time: it may block.
    package var sink: (@Sendable (UnsafeRawBufferPointer) -> Bool)?

    package init(url: String) { self.url = url }
}

/// Certificates in memory. Files on which they stand are read by who sets them, each time anew: libcurl would remember what is in a file
/// for a day.
package struct CurlTLS: Sendable {
    /// Certificates to verify against in place of the system's.
    package var authority: [UInt8]?
    /// The client's own, and those up to its authority.
    package var certificate: [UInt8]?
    package var key: [UInt8]?

    package init(authority: [UInt8]? = nil, certificate: [UInt8]? = nil, key: [UInt8]? = nil) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }
}

/// What came back.
package struct CurlResponse: Sendable {
    package var status: Int
    /// Within ``CurlRequest/maximumBytes``.
    package var body: [UInt8]
    /// In their order, where they were asked for.
    package var fields: [(name: String, value: String)] = []

    /// The value of the first field of a name, in any case.
    package func field(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }
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
