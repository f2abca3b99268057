import Dispatcher
import Hummingbird
import Queue

/// `GET /admin/api/queue`, `/pods` and `/history`: who waits for what, who could do it, and how it went lately. Times are in seconds.
struct QueueCalls: Sendable {
    let subjects: AdminServer.Subjects

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/queue") { _, _ in
            let queue = await subjects.dispatcher.queueSnapshot()
            return try JSON.response(QueuePayload(queue, waits: subjects.meter.waits.all))
        }
        api.get("/pods") { _, _ in
            try JSON.response(PodsPayload(await subjects.dispatcher.podSnapshots()))
        }
        api.get("/history") { _, _ in
            try JSON.response(HistoryPayload(subjects.meter.history))
        }
    }
}
