import NIOCore
import NIOHTTP1
import NIOPosix

/// Sends one request after the other, each on a connection of its own.
struct LoadClient: Sendable {
    let port: Int
    let group: any EventLoopGroup

    struct Answer: Sendable {
        var status = 0
        /// What the gateway gave it.
        var id: String?
        var headers: HTTPHeaders = [:]
        var body = ByteBuffer()
    }

    /// The id that the gateway gave; nil where the connection broke.
    func request(_ path: String) async throws -> String? {
        try await send(.POST, path, body: "{}")?.id
    }

    /// The whole answer; nil where the connection broke.
    func send(_ method: HTTPMethod, _ path: String, body: String = "") async throws -> Answer? {
        let channel = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                    wrappingChannelSynchronously: channel
                )
            }
        }
        return try await channel.executeThenClose { inbound, outbound in
            let headers: HTTPHeaders = [
                "Host": "127.0.0.1", "Connection": "close", "Content-Length": "\(body.utf8.count)",
            ]
            // Who is refused at the head may find the connection closed before the body is sent, and has an answer all the same.
            try? await outbound.write(
                contentsOf: [
                    .head(HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)),
                    .body(.byteBuffer(ByteBuffer(string: body))), .end(nil),
                ]
            )
            var answer = Answer()
            for try await part in inbound {
                switch part {
                case .head(let head):
                    answer.status = Int(head.status.code)
                    answer.headers = head.headers
                    answer.id = head.headers.first(name: "Neutrino-Request-Id")
                case .body(var bytes): answer.body.writeBuffer(&bytes)
                case .end: return answer
                }
            }
            return nil
        }
    }
}
