import Core
import HTTP
import NIOCore

/// What a pod is sent of a request that was accepted: every reader takes exactly one request of it, the one that was meant.
extension Comparison {
    private static let mark = Array("GET /mark HTTP/1.1\r\nHost: mark\r\n\r\n".utf8)

    /// Fields that belong to one connection, or that only the gateway may write.
    private static let never: [StaticString] = [
        "transfer-encoding", "connection", "upgrade", "expect", "te", "keep-alive", "proxy-connection",
        "http2-settings", "trailer",
    ]

    /// What is wrong with the requests among some bytes as they would be forwarded; nil when nothing is.
    package static func difference(forwarding bytes: [UInt8], isTrusted: Bool) throws -> String? {
        let peer = ForwardingPeer(address: "192.0.2.1", isTrusted: isTrusted)
        for request in try read(requests: [bytes], by: .bytes).messages where request.isWhole {
            let sent = forwarded(request, from: peer)
            for codec in MessageCodec.allCases {
                let reading = try read(requests: [sent + mark], by: codec, limits: .behindGateway)
                guard !reading.isRefused, reading.messages.count == 2, reading.messages.allSatisfy(\.isWhole),
                    let first = reading.messages.first, reading.messages.last?.target == "/mark"
                else { return "\(codec) reads \(reading) of \(text(sent))" }
                guard first.method == request.method, first.target == request.target, first.body == request.body else {
                    return "\(codec) reads \(first), not \(request)"
                }
            }
            if let problem = problem(with: sent) { return "\(problem) in \(text(sent))" }
        }
        return nil
    }

    private static func forwarded(_ request: ReadRequest, from peer: ForwardingPeer) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let body = ByteBuffer(bytes: request.body)
        let outbound = OutboundRequest(
            method: request.method,
            target: request.head.target,
            fields: HeaderRules.forwarded(request.head, from: peer, generator: &generator),
            extraFields: ByteBuffer(string: "Neutrino-Request-Id: 1\r\n"),
            body: request.body.isEmpty ? .none : .memory(body),
            mayReuseIdle: true,
            firstByteTimeout: .seconds(1)
        )
        var buffer = ByteBuffer()
        MessageWriter.writeHead(outbound, authority: "192.0.2.2:80", into: &buffer)
        buffer.writeImmutableBuffer(body)
        return Array(buffer.readableBytesView)
    }

    /// Looks at the bytes of a head themselves, not at what a parser makes of them.
    private static func problem(with sent: [UInt8]) -> String? {
        var lengths = 0
        var hosts = 0
        var index = 0
        var isFirst = true
        while let end = sent[index...].firstIndex(of: 10) {
            guard end > index, sent[end - 1] == 13 else { return "a bare LF" }
            let line = sent[index..<(end - 1)]
            index = end + 1
            if line.isEmpty { break }
            guard !line.contains(where: { $0 < 0x20 && $0 != 9 || $0 == 0x7F }) else { return "a control character" }
            defer { isFirst = false }
            guard !isFirst else { continue }
            guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex else { return "no name" }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased().replacing("_", with: "-")
            if never.contains(where: { name == "\($0)" })
                || name.hasPrefix("neutrino-") && name != "neutrino-request-id"
            {
                // Only these are CGI's: the others have other names with `_`.
                let folded: Set<String> = ["transfer-encoding", "content-length"]
                if folded.contains(name) || name.hasPrefix("neutrino-") || !line[..<colon].contains(0x5F) {
                    return "the field \(name)"
                }
            }
            if name == "content-length" { lengths += 1 }
            if name == "host" { hosts += 1 }
        }
        if lengths > 1 { return "\(lengths) lengths" }
        return hosts == 1 ? nil : "\(hosts) Hosts"
    }

    static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self).debugDescription }
}
