import Glibc
import NIOCore

/// Whether a client takes what it is sent, while nothing more can be written to it.
///
/// That a connection can be written to again says so only in large steps: a third of the kernel's buffer and all of NIO's have to be free
/// first, which a client that reads steadily but slowly may take minutes for. So the socket is asked now and then, while it is full, how
/// many bytes the client's side has acknowledged.
struct SendProgress {
    /// How often it is looked at in the time for which it may stand still.
    private static let looks = Int64(8)

    private let time: TimeAmount
    /// When it was last seen to go on.
    private var lastMove: NIODeadline
    /// At the last look; nil before the first.
    private var acknowledged: UInt64?

    /// - Parameter time: `STREAM_IDLE_TIMEOUT`.
    init(within time: TimeAmount, since now: NIODeadline) {
        self.time = time
        lastMove = now
    }

    /// Looks.
    /// - Parameter bytes: ``NIOCore/Channel/acknowledgedBytes``.
    /// - Returns: When to look again; nil where the client has taken nothing for the whole time.
    mutating func look(_ bytes: UInt64?, at now: NIODeadline) -> NIODeadline? {
        if let acknowledged, let bytes, bytes > acknowledged { lastMove = now }
        acknowledged = bytes
        guard now < lastMove + time else { return nil }
        return nextLook(after: now)
    }

    func nextLook(after now: NIODeadline) -> NIODeadline {
        min(lastMove + time, now + .nanoseconds(max(time.nanoseconds / Self.looks, 1)))
    }
}

extension Channel {
    /// How many bytes the other end has acknowledged since the connection began: those that it read, and those that its kernel keeps for it.
    /// nil where this is no TCP socket. On the event loop.
    var acknowledgedBytes: UInt64? {
        // Where Linux tells it: `tcpi_bytes_acked` of `struct tcp_info` (tcp(7), linux/tcp.h); glibc's own declaration ends before it.
        let (place, size) = (120, 128)
        let answer = try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            socket in
            withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { info -> UInt64? in
                var length = socklen_t(size)
                let level = NIOBSDSocket.OptionLevel.tcp.rawValue
                let name = NIOBSDSocket.Option.tcp_info.rawValue
                guard getsockopt(socket, level, name, info.baseAddress, &length) == 0, Int(length) == size else {
                    return nil
                }
                return info.load(fromByteOffset: place, as: UInt64.self)
            }
        }
        return answer ?? nil
    }
}
