/// One task pod as discovery found it. Immutable and compared by identity: a pod that is found again after it went away, or at
/// another address, is a new one.
package final class Pod: Sendable {
    /// Unique among all pods of this process, never reused.
    package let key: Int
    package let description: PodDescription

    package init(key: Int, description: PodDescription) {
        self.key = key
        self.description = description
    }

    package var id: String { description.id }
}

extension Pod: Hashable {
    package static func == (left: Pod, right: Pod) -> Bool { left === right }
    package func hash(into hasher: inout Hasher) { hasher.combine(key) }
}

/// What discovery says of a pod.
package struct PodDescription: Hashable, Sendable {
    package enum Scheme: String, Sendable {
        case http
        case https
    }

    /// What operators and rows call it: `http://10.0.0.7:8080`, or the name that Kubernetes gave it.
    package var id: String
    package var scheme: Scheme
    /// An address or a host name; an IPv6 address without brackets.
    package var host: String
    package var port: Int
    package var name: String?
    package var namespace: String?
    package var node: String?
    /// Finishes what it has and gets nothing new.
    package var isDraining: Bool

    package init(
        id: String? = nil,
        scheme: Scheme = .http,
        host: String,
        port: Int,
        name: String? = nil,
        namespace: String? = nil,
        node: String? = nil,
        isDraining: Bool = false
    ) {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.name = name
        self.namespace = namespace
        self.node = node
        self.isDraining = isDraining
        self.id = id ?? ""
        if id == nil { self.id = url }
    }

    /// `host:port`, an IPv6 host in brackets (RFC 3986 §3.2).
    package var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    package var url: String { "\(scheme.rawValue)://\(authority)" }
}
