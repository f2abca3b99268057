import NIOCore
import NIOHTTP1
import NIOPosix

/// A client as plain as can be: a connection a request, everything collected.
struct TestClient: Sendable {
    let port: Int
    let group: any EventLoopGroup

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var body: ByteBuffer
        /// When each part of the body came.
        var partTimes: [NIODeadline]

        var text: String { String(buffer: body) }
    }

    func get(_ path: String) async throws -> Answer { try await send(.GET, path) }

    func send(
        _ method: HTTPMethod,
        _ path: String,
        headers: HTTPHeaders = [:],
        body: ByteBuffer? = nil,
        onPart: (ByteBuffer) -> Void = { _ in }
    ) async throws -> Answer {
        let channel = try await ClientBootstrap(group: group)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel
                    )
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            var head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
            head.headers.replaceOrAdd(name: "Host", value: "127.0.0.1:\(port)")
            head.headers.replaceOrAdd(name: "Connection", value: "close")
            if let body { head.headers.replaceOrAdd(name: "Content-Length", value: "\(body.readableBytes)") }
            // All at once: an answer may come, and the connection end with it, as soon as the head is there.
            var parts: [HTTPClientRequestPart] = [.head(head)]
            if let body { parts.append(.body(.byteBuffer(body))) }
            try await outbound.write(contentsOf: parts + [.end(nil)])
            var answer = Answer(status: 0, headers: [:], body: ByteBuffer(), partTimes: [])
            for try await part in inbound {
                switch part {
                case .head(let head):
                    answer.status = Int(head.status.code)
                    answer.headers = head.headers
                case .body(var bytes):
                    onPart(bytes)
                    answer.body.writeBuffer(&bytes)
                    answer.partTimes.append(.now())
                case .end:
                    return answer
                }
            }
            throw ChannelError.eof
        }
    }
}
