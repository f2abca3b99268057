import Core
import Dispatcher
import Ingress
import NIOCore

/// Which route a replay has, by the table that holds now.
struct BookRouting: ReplayRouting {
    let book: RouteBook

    func route(named id: String) -> Route? { book.current.routes.first { $0.id == id } }

    func route(for target: ByteBuffer, _ method: RequestMethod) -> Route? {
        book.current.forwardedRoute(for: target, method)
    }

    var fallback: Route { book.current.default }
}
