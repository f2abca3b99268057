import Core
import NIOConcurrencyHelpers
package import OpenAPI
import Synchronization

/// Keeps the table of routes that holds now. Written at start and when a file changes, read for every request.
package final class RouteBook: Sendable {
    private struct State {
        var table: RouteTable
        /// Of every id that there ever was: keys stay the same over reloads.
        var keys = [Route.defaultID: 0]
    }

    /// Ids over the life of the process, since their keys are never given to another.
    package let maximumRoutes: Int

    private let state: NIOLockedValueBox<State>
    private let changes = Atomic<Int>(0)

    /// Makes a book that knows `default` only.
    package init(defaults: RouteDefaults = RouteDefaults(), maximumRoutes: Int = 10_000) {
        self.maximumRoutes = maximumRoutes
        // Without operations and rules nothing can be refused.
        let table = try! RouteTableBuilder.build(document: nil, rules: [], defaults: defaults) { _ in 0 }
        state = NIOLockedValueBox(State(table: table))
    }

    /// Makes the table of a document and the configuration's rules over it the current one. A request that was matched before keeps
    /// the route that it has.
    /// - Throws: ``IngressError`` where a rule cannot be; the last good table stays then.
    /// - Returns: The table.
    @discardableResult
    package func load(
        document: OpenAPIDocument?,
        rules: [RouteRule],
        defaults: RouteDefaults
    ) throws(IngressError) -> RouteTable {
        let keys = state.withLockedValue { $0.keys }
        var next = keys
        let table = try RouteTableBuilder.build(document: document, rules: rules, defaults: defaults) {
            id throws(IngressError) in
            if let key = next[id] { return key }
            guard next.count < maximumRoutes else {
                throw IngressError(
                    .invalidRoutes,
                    keys.count > 1
                        ? "more than \(maximumRoutes) different routes since the start; a restart forgets those that are gone"
                        : "more than \(maximumRoutes) routes"
                )
            }
            let key = next.count
            next[id] = key
            return key
        }
        state.withLockedValue {
            $0.table = table
            $0.keys = next
        }
        changes.add(1, ordering: .releasing)
        return table
    }

    /// The table that holds now.
    package var current: RouteTable {
        state.withLockedValue { $0.table }
    }

    /// Grows with every change of ``current``.
    var version: Int { changes.load(ordering: .acquiring) }
}

/// What one event loop has read of a ``RouteBook``: asks it again only after it changed, so that loops do not meet at its lock.
struct RouteSnapshot {
    private let book: RouteBook
    private var version: Int
    private var table: RouteTable

    init(of book: RouteBook) {
        self.book = book
        version = book.version
        table = book.current
    }

    var current: RouteTable {
        mutating get {
            let now = book.version
            if now != version {
                version = now
                table = book.current
            }
            return table
        }
    }
}
