import Core

/// `host:port` taken apart (RFC 9110 §7.2).
struct Authority: Equatable {
    /// In lower case, an IPv6 address without brackets.
    var host: String
    var port: Int?

    /// nil where the text is no such thing.
    init?(_ text: some StringProtocol) {
        let text = text.lowercased()
        let rest: Substring
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = String(text[text.index(after: text.startIndex)..<end])
            rest = text[text.index(after: end)...]
        } else {
            let end = text.firstIndex(of: ":") ?? text.endIndex
            host = String(text[..<end])
            rest = text[end...]
        }
        guard !host.isEmpty else { return nil }
        guard !rest.isEmpty else { return }
        let digits = rest.dropFirst()
        guard rest.first == ":", digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        // "host:" is allowed, and means the scheme's own port.
        guard !digits.isEmpty else { return }
        guard let number = Int(digits), number <= 65_535 else { return nil }
        port = number
    }

    init(host: String) { self.host = host.lowercased() }

    var isLoopback: Bool { AddressBlock.isLoopback(host: host) }
}
