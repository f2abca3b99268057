import CCurl

/// The connections that ``CurlLoop`` keeps, in many small caches (libcurl-share(3)) in place of its one.
///
/// libcurl walks over all connections of a cache whenever an exchange on one of them ends: with thousands of pods that cost a third of
/// polling. On the loop's thread only, so nothing is locked.
final class ConnectionShares {
    private static let count = 64
    /// Empty where there is no memory for them: then all are in the loop's own.
    private let shares: [UnsafeMutableRawPointer]

    init() {
        var shares: [UnsafeMutableRawPointer] = []
        for _ in 0..<Self.count {
            guard let share = curl_share_init() else { break }
            shares.append(share)
            neutrino_curl_share_connections(share)
        }
        self.shares = shares
    }

    /// Closes the connections. No handle may use them any more.
    func close() {
        for share in shares { curl_share_cleanup(share) }
    }

    /// Where the connections for a request are kept: the same for all requests to one host and port.
    func share(for request: CurlRequest) -> UnsafeMutableRawPointer? {
        guard !shares.isEmpty else { return nil }
        // FNV-1a: names and addresses that differ in little spread well.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        var slashes = 0
        for byte in request.url.utf8 {
            if byte == UInt8(ascii: "/") { slashes += 1 }
            if slashes == 3 { break }
            add(byte)
        }
        for byte in (request.connectTo ?? "").utf8 { add(byte) }
        return shares[Int(hash % UInt64(shares.count))]
    }
}
