import Core
import HTTP
import Ingress
import NIOCore
import NIOEmbedded

/// The pure parts of the data path whose cost is guarded.
enum GuardedPart: String, CaseIterable {
    /// A request of 9 fields and 493 bytes, read on the client's side.
    case requestCodec = "request-codec"
    /// An answer of 226 bytes, read on the pod's side, with the writing of its request's head.
    case answerCodec = "answer-codec"
    /// A request's fields, as they go to a pod.
    case headerRules = "header-rules"
    /// A path with a parameter among 200 templates.
    case routeLookup = "route-lookup"
    /// A lease that ends, a freed pod that looks at 50 lines, a request that comes and looks at 200 pods.
    case matching

    /// What it needs is made; what is returned runs it once.
    func prepare() throws -> () -> Void {
        switch self {
        case .requestCodec: try Self.requestCodec()
        case .answerCodec: try Self.answerCodec()
        case .headerRules: Self.headerRules()
        case .routeLookup: try Self.routeLookup()
        case .matching: Self.matching()
        }
    }

    private static let request = """
        POST /v1/infer/llama?stream=false HTTP/1.1\r
        Host: gateway.example:8080\r
        User-Agent: python-httpx/0.27.0\r
        Accept: */*\r
        Accept-Encoding: gzip, deflate\r
        Connection: keep-alive\r
        Content-Type: application/json\r
        X-Request-Id: 8f4b3c1e-2a11-4c0e-9a57-0d6c8f1f2f10\r
        traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r
        Content-Length: 493\r
        \r

        """
    private static let answer = """
        HTTP/1.1 200 OK\r
        Server: nginx/1.22.1\r
        Date: Wed, 25 Nov 2026 00:00:00 GMT\r
        Content-Type: application/json\r
        Content-Length: 226\r
        Connection: keep-alive\r
        \r

        """

    private static func requestCodec() throws -> () -> Void {
        let channel = EmbeddedChannel()
        try MessageCodec.bytes.addServerHandlers(to: channel.pipeline.syncOperations)
        try channel.pipeline.syncOperations.addHandler(Sink<RequestPart>())
        var bytes = ByteBuffer(string: request)
        bytes.writeRepeatingByte(UInt8(ascii: "x"), count: 493)
        return {
            channel.pipeline.fireChannelRead(bytes)
            channel.pipeline.fireChannelReadComplete()
        }
    }

    private static func answerCodec() throws -> () -> Void {
        let channel = EmbeddedChannel()
        try MessageCodec.bytes.addClientHandlers(to: channel.pipeline.syncOperations)
        try channel.pipeline.syncOperations.addHandler(Sink<ResponsePart>())
        var bytes = ByteBuffer(string: answer)
        bytes.writeRepeatingByte(UInt8(ascii: "y"), count: 226)
        let head = ByteBuffer(string: request)
        return {
            channel.pipeline.syncOperations.writeAndFlush(
                NIOAny(OutgoingRequestPart.head(head, method: .post)),
                promise: nil
            )
            channel.pipeline.fireChannelRead(bytes)
            channel.pipeline.fireChannelReadComplete()
            while (try? channel.readOutbound(as: ByteBuffer.self)) != nil {}
        }
    }

    private static func headerRules() -> () -> Void {
        let lines = request.split(separator: "\r\n").dropFirst().map { line in
            let colon = line.firstIndex(of: ":")!
            return (String(line[..<colon]), String(line[line.index(colon, offsetBy: 2)...]))
        }
        let head = RequestHead(
            method: .post,
            target: ByteBuffer(string: "/v1/infer/llama?stream=false"),
            version: .http11,
            fields: HeaderFields(lines)
        )
        let peer = ForwardingPeer(address: "192.0.2.7")
        var generator = Xorshift(seed: 7)
        var kept = 0
        return { kept &+= HeaderRules.forwarded(head, from: peer, generator: &generator).count }
    }

    private static func routeLookup() throws -> () -> Void {
        let book = RouteBook()
        let rules = (0..<200).map { RouteRule(method: "POST", path: "/v1/models/m\($0)/tasks/{task}/runs", cpus: 1) }
        let table = try book.load(document: nil, rules: rules, defaults: RouteDefaults())
        let target = ByteBuffer(string: "/v1/models/m117/tasks/8f4b3c1e-2a11/runs?wait=true")
        precondition(table.match(target, .post) != nil)
        var keys = 0
        return { keys &+= table.route(for: target, .post).key }
    }

    private static func matching() -> () -> Void {
        var bench = DecisionBench(waiting: 2_000, lines: 50, pods: 200)
        return { _ = bench.decide() }
    }
}

/// Takes what is read.
private final class Sink<Part>: ChannelInboundHandler {
    typealias InboundIn = Part
    typealias OutboundOut = Never

    private var parts = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        parts &+= 1
        _ = unwrapInboundIn(data)
    }
}
