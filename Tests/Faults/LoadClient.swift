import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends one request after the other, each on a connection of its own.
struct LoadClient: Sendable {
    let port: Int
    let group: any EventLoopGroup

    /// The id that the gateway gave; nil where the connection broke.
    func request(_ path: String) async throws -> String? {
        let channel = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                    wrappingChannelSynchronously: channel
                )
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            let headers: HTTPHeaders = ["Host": "127.0.0.1", "Connection": "close", "Content-Length": "2"]
            try await outbound.write(
                .head(HTTPRequestHead(version: .http1_1, method: .POST, uri: path, headers: headers))
            )
            try await outbound.write(.body(.byteBuffer(ByteBuffer(string: "{}"))))
            try await outbound.write(.end(nil))
            var id: String?
            for try await part in inbound {
                if case .head(let head) = part { id = head.headers.first(name: "Neutrino-Request-Id") }
                if case .end = part { return id }
            }
            return nil
        }
    }
}
