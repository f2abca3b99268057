import Core
import NIOCore

/// One task and its answer, on its connection's event loop: simulated, or forwarded to a server. The connection owns it until
/// the answer has ended.
protocol PodExchange: AnyObject {
    func requestBody(_ bytes: ByteBuffer)
    func requestEnded(trailers: HeaderFields?)
    /// Whether the client takes more of the answer now.
    func setWritable(_ isWritable: Bool)
    /// The client is gone: nothing may be written any more.
    func clientLeft()
}
