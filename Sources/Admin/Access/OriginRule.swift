import HTTPTypes

/// Keeps web pages of others from calling: what a browser sends along on its own account (a cookie, or being on this machine at all) is
/// no proof that an operator wanted it.
///
/// Browsers name the page's origin in `Origin` with every change (Fetch, "append a request `Origin` header"), and where it stands to
/// the called one in `Sec-Fetch-Site`. Programs send neither. The whole origin counts, with its port: what pods serve on another port of
/// this host is "same site" to a browser, and gets its cookies, but is not ours.
enum OriginRule {
    /// Why a request is refused; nil where it is not.
    /// - Parameter isCookieUsed: Whether a cookie is what it is served for, so that a browser must have sent it.
    static func refusal(_ head: HTTPRequest, _ caller: Caller, isCookieUsed: Bool) -> AdminProblem? {
        let site = head.headerFields[.secFetchSite]?.lowercased()
        if let site, site != "same-origin", site != "none" {
            return refused("a page of another origin sent it (Sec-Fetch-Site: \(site.prefix(32)))")
        }
        guard head.method != .get, head.method != .head else { return nil }
        if let origin = head.headerFields[.origin] {
            guard !isOwn(origin, caller) else { return nil }
            let own = caller.authority.map { "; it was called as \($0)" } ?? ""
            return refused("Origin is \(origin.prefix(256))\(own)")
        }
        guard isCookieUsed, site == nil else { return nil }
        return refused("it comes with a session, and neither Origin nor Sec-Fetch-Site says from which page")
    }

    /// Whether an origin is the one that was called. Behind a proxy that is not known as one, TLS cannot be seen from here: then either
    /// scheme may be the client's.
    static func isOwn(_ origin: String, _ caller: Caller) -> Bool {
        let parts = origin.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let own = caller.authority.flatMap({ Authority($0) }), let other = Authority(parts[1])
        else { return false }
        let standard: Int
        switch parts[0].lowercased() {
        case "https": standard = 443
        case "http" where !caller.isSecure: standard = 80
        default: return false
        }
        return other.host == own.host && (other.port ?? standard) == (own.port ?? standard)
    }

    private static func refused(_ why: String) -> AdminProblem {
        AdminProblem(.forbidden, "origin_not_allowed", "only pages of this listener may call it from a browser: \(why)")
    }
}

extension HTTPField.Name {
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site")!
}
