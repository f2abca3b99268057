import CCurl
import NIOCore

/// The connections that ``CurlLoop`` keeps, in many small caches (libcurl-share(3)) in place of its one.
///
/// libcurl walks over all connections of a cache whenever an exchange on one of them ends: with thousands of pods that cost a third of
/// polling. On the loop's thread only, so nothing is locked.
final class ConnectionShares {
    /// One cache, and the exchanges that use it.
    struct Slot {
        /// nil while nobody needs it.
        fileprivate var share: UnsafeMutableRawPointer?
        fileprivate var underWay = 0
        /// Since the last look.
        fileprivate var wasUsed = false
    }

    private var slots = [Slot](repeating: Slot(), count: 64)
    /// After how long a cache that is not used is closed. In one that is used, libcurl itself closes what the other end has closed.
    private let unusedTime: TimeAmount
    private var nextLook = NIODeadline.now()

    init(unusedTime: TimeAmount) { self.unusedTime = unusedTime }

    /// Closes all connections. No handle may use them any more.
    func close() {
        for index in slots.indices { close(index) }
    }

    /// Where the connections for a request are kept: the same for all requests to one host and port.
    /// - Returns: For ``ended(_:)``, and the cache; nil for it where there is no memory: then the loop's own is used.
    func begin(_ request: CurlRequest) -> (slot: Int, share: UnsafeMutableRawPointer?) {
        closeUnused()
        var hasher = Hasher()
        var slashes = 0
        for byte in request.url.utf8 {
            if byte == UInt8(ascii: "/") { slashes += 1 }
            if slashes == 3 || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") { break }
            hasher.combine(byte)
        }
        hasher.combine(request.connectTo)
        let index = Int(UInt(bitPattern: hasher.finalize()) % UInt(slots.count))
        if slots[index].share == nil { slots[index].share = Self.makeShare() }
        slots[index].underWay += 1
        slots[index].wasUsed = true
        return (index, slots[index].share)
    }

    /// An exchange has ended, and its handle uses the cache no more.
    func ended(_ slot: Int) { slots[slot].underWay -= 1 }

    private func closeUnused() {
        let now = NIODeadline.now()
        guard now >= nextLook else { return }
        nextLook = now + unusedTime
        for index in slots.indices where slots[index].underWay == 0 {
            if !slots[index].wasUsed { close(index) }
            slots[index].wasUsed = false
        }
    }

    private func close(_ index: Int) {
        guard let share = slots[index].share else { return }
        curl_share_cleanup(share)
        slots[index].share = nil
    }

    private static func makeShare() -> UnsafeMutableRawPointer? {
        guard let share = curl_share_init() else { return nil }
        guard neutrino_curl_share_connections(share) == CURLSHE_OK else {
            curl_share_cleanup(share)
            return nil
        }
        return share
    }
}
