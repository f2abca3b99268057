import Hummingbird
import Queue

/// `GET /admin/api/changes`: what operators did.
struct ChangeCalls: Sendable {
    let subjects: AdminServer.Subjects

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/changes") { request, _ in
            let query = try ChangeQuery(request.uri.queryParameters)
            return try JSON.response(
                ChangesPayload(try await subjects.queue.changes.page(before: query.before, limit: query.limit))
            )
        }
    }
}

/// The query of `GET /admin/api/changes`: where the page begins.
struct ChangeQuery {
    var before: Int64?
    var limit = 50

    /// - Throws: ``AdminProblem`` that names the parameter, its value and what is accepted.
    init(_ parameters: Parameters) throws {
        for (name, value) in parameters {
            switch name {
            case "before":
                guard let id = Int64(value), id > 0 else {
                    throw AdminProblem.badParameter("before", value, "`next` of the page before")
                }
                before = id
            case "limit": limit = try RequestQuery.limit(value)
            default: throw AdminProblem.badRequest("unknown parameter \(name); accepted are before, limit")
            }
        }
    }
}
