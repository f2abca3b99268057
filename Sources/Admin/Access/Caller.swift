import Core
import HTTPTypes
import NIOCore

/// Where a request comes from, as far as that can be believed.
struct Caller: Sendable, Equatable {
    /// The client's address; behind proxies of ours the one that they name. Empty where there is none.
    var address = ""
    /// Whether it came over TLS, to us or to a proxy of ours.
    var isSecure = false
    /// The name that the client called, with its port if it gave one.
    var authority: String?
    /// What this listener was called by: `authority`, and where a proxy calls it by another name, that too.
    var names: [String] = []
}

/// Finds out who calls. Only of `TRUSTED_PROXIES` the `X-Forwarded-*` fields count: anyone else could write into them what he likes.
struct CallerRule: Sendable {
    var trustedProxies: [AddressBlock] = []
    /// Whether this listener speaks TLS itself.
    var hasTLS = false

    func caller(of head: HTTPRequest, peer: SocketAddress?) -> Caller {
        var caller = Caller(
            address: AddressBlock.text(of: peer),
            isSecure: hasTLS,
            authority: head.authority,
            names: [head.authority].compactMap(\.self)
        )
        guard let peer, trustedProxies.contains(where: { $0.contains(peer) }) else { return caller }
        let fields = head.headerFields
        caller.address = trustedProxies.client(forwardedFor: fields[values: .xForwardedFor]) ?? caller.address
        // The first is what the client spoke; the last is whom the nearest proxy was called by.
        if members(fields[.xForwardedProto]).first?.lowercased() == "https" { caller.isSecure = true }
        if let host = members(fields[.xForwardedHost]).last {
            caller.authority = host
            caller.names.append(host)
        }
        return caller
    }

    private func members(_ value: String?) -> [String] {
        (value ?? "").split(separator: ",").map { $0.filter { $0 != " " && $0 != "\t" } }
    }
}

extension HTTPField.Name {
    static let xForwardedFor = HTTPField.Name("X-Forwarded-For")!
    static let xForwardedProto = HTTPField.Name("X-Forwarded-Proto")!
    static let xForwardedHost = HTTPField.Name("X-Forwarded-Host")!
}
