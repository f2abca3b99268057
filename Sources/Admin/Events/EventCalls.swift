import Dispatcher
import HTTPTypes
import Hummingbird
import NIOCore
import Queue

/// `GET /admin/api/events`: what the page lives on, as server-sent events.
struct EventCalls: Sendable {
    let hub: EventHub

    func add(to api: RouterGroup<AdminContext>) {
        api.get("/events") { request, context in
            let headers: HTTPFields = [.contentType: "text/event-stream", .xAccelBuffering: "no"]
            // HEAD: nobody will read them.
            guard request.method == .get else { return Response(status: .ok, headers: headers) }
            let subscriber = try hub.subscribe()
            let isStillAdmitted = context.isStillAdmitted
            return Response(
                status: .ok,
                headers: headers,
                body: ResponseBody { writer in
                    defer { subscriber.leave() }
                    // A session that has ended, or a token that is gone, sees no more; the page asks for another login.
                    while let bytes = await subscriber.next(), isStillAdmitted() {
                        try await writer.write(bytes)
                    }
                    try await writer.finish(nil)
                }
            )
        }
    }
}

extension AdminServer.Subjects {
    /// What is told, in this order.
    var eventSources: [EventSource] {
        [
            EventSource("queue", repeatAfter: .seconds(5)) { await queuePayload() },
            EventSource("pods", repeatAfter: .seconds(5)) { await podsPayload() },
            EventSource("routes") { routesPayload() },
            EventSource("history") { HistoryPayload.Point(meter.newestPoint) },
            EventSource("replays") { ReplayJobsPayload(await replays.watched()) },
        ]
    }
}

extension QueuePayload: EventPayload {
    var timeless: QueuePayload {
        var copy = self
        copy.oldestAge = 0
        copy.replays.oldestAge = 0
        for index in copy.routes.indices { copy.routes[index].oldestAge = 0 }
        for index in copy.lacking.indices { copy.lacking[index].oldestAge = 0 }
        for index in copy.lines.indices {
            // What stays the same while it waits: the whole time that its first may wait, to a tenth of a second.
            let line = copy.lines[index]
            copy.lines[index].deadlineIn = line.deadlineIn.map { (($0 + line.oldestAge) * 10).rounded() / 10 }
            copy.lines[index].oldestAge = 0
        }
        return copy
    }
}

extension PodsPayload: EventPayload {
    var timeless: PodsPayload {
        var copy = self
        for index in copy.pods.indices {
            copy.pods[index].sampleAge = copy.pods[index].sampleAge.map { _ in 0 }
            copy.pods[index].breakerReopensIn = copy.pods[index].breakerReopensIn.map { _ in 0 }
        }
        return copy
    }
}

extension RoutesPayload: EventPayload {}
extension HistoryPayload.Point: EventPayload {}
extension ReplayJobsPayload: EventPayload {}

extension HTTPField.Name {
    /// Keeps nginx from collecting an answer before it passes it on.
    static let xAccelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
