import Core
import Foundation
import Hummingbird
import Queue

/// `GET /admin/api/routes` and `PATCH /admin/api/routes/{id}`: what requests need, how long they may wait, and how many may run at once.
struct RouteCalls: Sendable {
    let subjects: AdminServer.Subjects
    let operators: Operators

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/routes") { _, _ in try JSON.response(subjects.routesPayload()) }
        api.patch("/routes/{id}") { request, context in
            let route = try route(named: context.decodedParameter("id"))
            let order = try await JSON.body(RouteOrder.self, of: request, context: context)
            try await operators.set(try order.changes(of: route.id), by: context.author)
            return try JSON.response(RoutePayload(route, subjects.settings.controls))
        }
    }

    private func route(named id: String) throws -> Route {
        guard let route = subjects.routes().first(where: { $0.id == id }) else { throw AdminProblem.noRoute(id) }
        return route
    }
}

extension AdminContext {
    /// A part of the path, percent-decoded; as it came where it cannot be.
    func decodedParameter(_ name: String) throws -> String {
        let text = try parameters.require(name)
        return text.removingPercentEncoding ?? text
    }
}
