import Glibc
import NIOCore
import NIOPosix

/// Tries whether an address could be listened on.
enum PortProbe {
    enum Result: Equatable {
        case free
        /// Someone listens there.
        case inUse
        case unusable(String)
    }

    /// Listens for a moment.
    static func probe(_ host: String, _ port: Int) async -> Result {
        do {
            let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            let channel = try await bootstrap.bind(host: host, port: port).get()
            try await channel.close()
            return .free
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            return .inUse
        } catch {
            return .unusable("\(error)")
        }
    }
}
