import Dispatcher
import Hummingbird
import Queue

/// `GET /admin/api/pods` and `POST /pods/{id}/drain`, `/undrain`, `/reset`: who could do it, and who is to be left alone.
struct PodCalls: Sendable {
    let subjects: AdminServer.Subjects
    let operators: Operators

    private static let changes: [(path: RouterPath, change: PodChange, action: ChangeAction)] = [
        ("/pods/{id}/drain", .drain, .drain),
        ("/pods/{id}/undrain", .undrain, .undrain),
        ("/pods/{id}/reset", .resetBreaker, .reset),
    ]

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/pods") { _, _ in try JSON.response(await subjects.podsPayload()) }
        for (path, change, action) in Self.changes {
            api.post(path) { _, context in
                let id = try context.decodedParameter("id")
                guard let (pod, hasChanged) = await subjects.dispatcher.change(change, podID: id) else {
                    throw AdminProblem.notFound(
                        "there is no pod \(id); GET /admin/api/pods lists them (percent-encode the id in the path)"
                    )
                }
                if hasChanged { await operators.record(ChangeRecord(action, of: id), by: context.author) }
                return try JSON.response(PodPayload(pod))
            }
        }
    }
}
