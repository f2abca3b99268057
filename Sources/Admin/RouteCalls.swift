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
            let id = try context.decodedParameter("id")
            let route = subjects.routes().first { $0.id == id }
            guard route != nil || subjects.settings.controls.hasValue(of: id) else { throw AdminProblem.noRoute(id) }
            let order = try await JSON.body(RouteOrder.self, of: request, context: context)
            // A route that is gone from the configuration may still be given its values back, which else would be there when it is.
            guard route != nil || order.onlyGivesBack else { throw AdminProblem.noRoute(id) }
            try await operators.set(try order.changes(of: id), by: context.author)
            guard let route else { return Response(status: .noContent) }
            return try JSON.response(RoutePayload(route, subjects.settings.controls))
        }
    }
}

extension OperatorControls {
    /// Whether an operator set a value of a route.
    fileprivate func hasValue(of route: String) -> Bool { holdTimeouts[route] != nil || maxConcurrency[route] != nil }
}

extension AdminContext {
    /// A part of the path, percent-decoded; as it came where it cannot be.
    func decodedParameter(_ name: String) throws -> String {
        let text = try parameters.require(name)
        return text.removingPercentEncoding ?? text
    }
}
