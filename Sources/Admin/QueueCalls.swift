import Core
import Hummingbird
import Queue

/// `GET /admin/api/queue` and `/history`: who waits for what, and how it went lately. `POST /pause` and `/resume`: whether anything is
/// dispatched.
struct QueueCalls: Sendable {
    let subjects: AdminServer.Subjects
    let operators: Operators

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/queue") { _, _ in try JSON.response(await subjects.queuePayload()) }
        api.get("/history") { _, _ in try JSON.response(HistoryPayload(subjects.meter.history)) }
        api.post("/pause") { request, context in try await pause(true, request, context) }
        api.post("/resume") { request, context in try await pause(false, request, context) }
    }

    /// A route that is gone from the configuration may still be resumed, not paused.
    private func pause(_ isPausing: Bool, _ request: Request, _ context: AdminContext) async throws -> Response {
        let order = try await JSON.body(PauseOrder.self, of: request, context: context)
        if let id = order.route {
            let isKnown = subjects.routes().contains { $0.id == id }
            guard isKnown || !isPausing && subjects.settings.controls.pausedRoutes.contains(id) else {
                throw AdminProblem.noRoute(id)
            }
        }
        try await operators.set(
            [isPausing ? .pause(route: order.route) : .resume(route: order.route)],
            by: context.author
        )
        return try JSON.response(PausePayload(subjects.settings.controls))
    }
}
