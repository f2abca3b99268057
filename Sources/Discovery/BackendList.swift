package import Core
import NIOCore

/// Reads a comma-separated list of pod URLs (`STATIC_BACKENDS`).
package enum BackendList {
    /// Reads `http://10.0.0.7:8080, https://[2001:db8::1]`. White space and empty entries are passed over; scheme and host are
    /// made lower case; the port is 80 or 443 where none is given.
    /// - Throws: A ``DiscoveryError`` that names the entry and what is accepted: a pod is a scheme, a host and a port and nothing else.
    package static func parse(_ text: String) throws(DiscoveryError) -> [PodDescription] {
        var pods: [PodDescription] = []
        var seen: Set<String> = []
        for entry in text.split(separator: ",") {
            let url = entry.trimmingSpaces()
            guard !url.isEmpty else { continue }
            let pod = try pod(url[...])
            guard seen.insert(pod.url).inserted else {
                throw refused(url[...], "is in the list twice")
            }
            pods.append(pod)
        }
        return pods
    }

    private static func refused(_ url: Substring, _ why: String) -> DiscoveryError {
        DiscoveryError(.invalidConfiguration, "\"\(url)\" \(why)")
    }

    /// Reads one URL.
    static func pod(_ url: Substring) throws(DiscoveryError) -> PodDescription {
        guard let separator = url.utf8.firstRange(of: "://".utf8) else {
            throw refused(url, "has no scheme; http://host:port or https://host:port is accepted")
        }
        let schemeText = url[..<separator.lowerBound].lowercased()
        guard let scheme = PodDescription.Scheme(rawValue: schemeText) else {
            throw refused(url, "has the scheme \"\(schemeText)\"; http or https is accepted")
        }
        var authority = url[separator.upperBound...]
        for (mark, part) in [("#", "a fragment"), ("?", "a query"), ("@", "user information")] {
            guard !authority.contains(mark) else {
                throw refused(url, "has \(part); a pod is a scheme, a host and a port")
            }
        }
        if let slash = authority.firstIndex(of: "/") {
            guard authority[slash...] == "/" else {
                throw refused(url, "has the path \"\(authority[slash...])\"; requests keep their own path")
            }
            authority = authority[..<slash]
        }
        let (host, portText) = try split(authority, of: url)
        guard let portText else {
            return PodDescription(scheme: scheme, host: host, port: scheme == .https ? 443 : 80)
        }
        guard portText.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = Int(portText),
            (1...65_535).contains(port)
        else { throw refused(url, "has the port \"\(portText)\"; 1 to 65535 is accepted") }
        return PodDescription(scheme: scheme, host: host, port: port)
    }

    /// Host (without brackets, checked) and port as text.
    private static func split(
        _ authority: Substring,
        of url: Substring
    ) throws(DiscoveryError) -> (host: String, port: Substring?) {
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else {
                throw refused(url, "has an IPv6 address without its closing bracket")
            }
            let host = authority[authority.index(after: authority.startIndex)..<end].lowercased()
            guard host.contains(":"), (try? SocketAddress(ipAddress: host, port: 1)) != nil else {
                throw refused(url, "has \"[\(host)]\", which is not an IPv6 address")
            }
            let rest = authority[authority.index(after: end)...]
            guard let first = rest.first else { return (host, nil) }
            guard first == ":" else { throw refused(url, "has \"\(rest)\" after its address; a port is accepted") }
            return (host, rest.dropFirst())
        }
        let colon = authority.firstIndex(of: ":")
        let host = authority[..<(colon ?? authority.endIndex)].lowercased()
        let port = colon.map { authority[authority.index(after: $0)...] }
        guard !host.isEmpty else { throw refused(url, "has no host") }
        guard !(port?.contains(":") ?? false) else {
            throw refused(
                url,
                "has an IPv6 address without brackets, or two ports; http://[2001:db8::1]:8080 is accepted"
            )
        }
        guard isHost(host) else { throw refused(url, "has \"\(host)\", which is neither a host name nor an address") }
        return (host, port)
    }

    /// An IPv4 address, or dot-separated labels of letters, digits, hyphens and underscores (which container networks use).
    private static func isHost(_ host: String) -> Bool {
        guard host.utf8.count <= 253 else { return false }
        let labels = (host.hasSuffix(".") ? host.dropLast() : host[...])
            .split(separator: ".", omittingEmptySubsequences: false)
        let areLabels = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
        guard areLabels, let last = labels.last else { return false }
        // A last label of digits only is an address and must be a good one (as URLs are read: WHATWG, "ends in a number").
        guard last.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return true }
        return (try? SocketAddress(ipAddress: host, port: 1)) != nil
    }
}
