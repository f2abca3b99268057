import HTTPTypes

extension EventCalls {
    static let document = [
        CallDocument(
            method: .get,
            path: "/admin/api/events",
            summary:
                "Server-sent events: queue, pods, routes, the history's newest point and bulk replays, as they change",
            answers: [.stream("text/event-stream", "Until the gateway or the session ends.")]
        )
    ]
}
