import Dispatcher
import Hummingbird

/// `GET /admin/api/queue` and `/pods`: who waits for what, and who could do it. Times are in seconds.
struct QueueCalls: Sendable {
    let subjects: AdminServer.Subjects

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/queue") { _, _ in
            try JSON.response(QueuePayload(await subjects.dispatcher.queueSnapshot()))
        }
        api.get("/pods") { _, _ in
            try JSON.response(PodsPayload(await subjects.dispatcher.podSnapshots()))
        }
    }
}
