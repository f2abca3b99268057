package import Core
package import NIOCore
import OpenAPI

/// All routes at one time, and which of them a request is matched to. Immutable: reading the document or the configuration again makes
/// a new one.
///
/// Matching looks at the path as it was sent, up to `?`, segment by segment: a literal goes before `{name}.json`, and that before
/// `{name}`. Percent-encoding is undone inside a segment, as the pods' frameworks do it. What matches nothing as it is written is
/// matched again as a server may resolve it: `%2F` decoded, empty, `.` and `..` segments and a slash at the end gone. So no request
/// dodges its needs by spelling its path differently; it is forwarded as it came all the same. HEAD uses GET's route. What
/// matches nothing then, `OPTIONS *` included, has the route `default`.
package final class RouteTable: Sendable {
    /// `default` first, then in the order of the document and of the configuration.
    package let routes: [Route]
    private let matcher: PathMatcher<Route>

    init(routes: [Route], matcher: PathMatcher<Route>) {
        self.routes = routes
        self.matcher = matcher
    }

    /// The route of requests that no operation matches.
    package var `default`: Route { routes[0] }

    /// The route of an operation; nil where none claims the target.
    package func match(_ target: ByteBuffer, _ method: RequestMethod) -> Route? {
        target.withUnsafeReadableBytes { matcher.match($0, method: method) }
    }

    /// The route of a request that is forwarded; nil where its path is the gateway's own, or the pods' own (``ReservedPath``).
    package func forwardedRoute(for target: ByteBuffer, _ method: RequestMethod) -> Route? {
        switch ReservedPath(target) {
        case nil: route(for: target, method)
        case .admin: match(target, method)
        case .health, .ready, .capacity, .internals: nil
        }
    }

    /// The route of any request.
    package func route(for target: ByteBuffer, _ method: RequestMethod) -> Route {
        match(target, method) ?? routes[0]
    }
}
