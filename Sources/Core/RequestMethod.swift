/// A request method that the gateway forwards: every one that llhttp knows, but CONNECT and the HTTP/2 preface `PRI`.
package enum RequestMethod: String, CaseIterable, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
    case options = "OPTIONS"
    case patch = "PATCH"
    case trace = "TRACE"
    case acl = "ACL"
    case bind = "BIND"
    case checkout = "CHECKOUT"
    case copy = "COPY"
    case link = "LINK"
    case lock = "LOCK"
    case merge = "MERGE"
    case mkactivity = "MKACTIVITY"
    case mkcalendar = "MKCALENDAR"
    case mkcol = "MKCOL"
    case move = "MOVE"
    case msearch = "M-SEARCH"
    case notify = "NOTIFY"
    case propfind = "PROPFIND"
    case proppatch = "PROPPATCH"
    case purge = "PURGE"
    case rebind = "REBIND"
    case report = "REPORT"
    case search = "SEARCH"
    case source = "SOURCE"
    case subscribe = "SUBSCRIBE"
    case unbind = "UNBIND"
    case unlink = "UNLINK"
    case unlock = "UNLOCK"
    case unsubscribe = "UNSUBSCRIBE"

    /// Whether repeating it has the effect of doing it once (RFC 9110 §9.2.2, and the column of IANA's method registry).
    package var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace, .acl, .bind, .checkout, .copy, .link, .merge, .mkactivity,
            .mkcalendar, .mkcol, .move, .propfind, .proppatch, .rebind, .report, .search, .unbind, .unlink, .unlock:
            true
        case .post, .patch, .lock, .msearch, .notify, .purge, .source, .subscribe, .unsubscribe:
            false
        }
    }
}
