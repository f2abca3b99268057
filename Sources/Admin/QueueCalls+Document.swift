import HTTPTypes

extension QueueCalls {
    static let document = [
        CallDocument(
            method: .get,
            path: "/admin/api/queue",
            summary: "Who waits for what, and why",
            answers: [.json(.named("Queue"))]
        ),
        CallDocument(
            method: .get,
            path: "/admin/api/history",
            summary: "The last 15 minutes, 5 seconds at a time, oldest first",
            answers: [.json(.object(["interval": .seconds, "points": .list(of: .named("Point"))]))]
        ),
        CallDocument(
            method: .post,
            path: "/admin/api/pause",
            summary: "Stops dispatching, of everything or of one route; holding goes on",
            body: .init(schema: .named("PauseOrder")),
            answers: [.json(.named("Pause"), "What is paused now.")],
            problems: [404]
        ),
        CallDocument(
            method: .post,
            path: "/admin/api/resume",
            summary: "Takes a pause back",
            body: .init(schema: .named("PauseOrder")),
            answers: [.json(.named("Pause"), "What is paused now.")],
            problems: [404]
        ),
    ]

    static let schemas: [(String, Schema)] = [
        ("Queue", queue),
        ("Waits", waits),
        ("Point", point),
        (
            "PauseOrder",
            .object([:], maybe: ["route": .text(0...4096).about("A route's id; without it: everything.")])
        ),
        ("Pause", .object(["paused": .flag.about("Everything."), "routes": .list(of: .text)])),
    ]

    private static let queue = Schema.object([
        "depth": .count.about("Clients' requests that wait."),
        "oldest_age": .seconds.about("How long the oldest of them has waited."),
        "replays": .object(["depth": .count, "oldest_age": .seconds]).about("Replays that wait, behind all clients."),
        "dispatched": .count.about("Requests that pods have."),
        "paused": .flag,
        "draining": .flag.about("From SIGTERM on."),
        "recorded": .count.about("Rows of the request log written since the start."),
        "bytes": .count.about("Of the bodies of all requests that wait or are with pods."),
        "routes": .list(of: route),
        "lacking": .list(of: .object(["name": .text, "depth": .count, "oldest_age": .seconds])),
        "lines": .list(of: line),
        "waits": .named("Waits"),
    ])

    private static let route = Schema.object([
        "name": .text, "depth": .count, "oldest_age": .seconds, "dispatched": .count, "paused": .flag,
        "max_concurrency": .integer(1...1_000_000).orNull.about("In force; null for no bound."),
        "waits": .named("Waits"),
    ])

    private static let line = Schema.object(
        [
            "route": .text,
            "priority": .word(["live", "replay"]),
            "needs": .named("Needs"),
            "depth": .count,
            "oldest_age": .seconds,
            "why": .text.about("The resource that is lacking, or a word for why else."),
            "explanation": .text,
        ],
        maybe: [
            "deadline_in": .seconds.about(
                "When the first will be refused, in seconds from now; left out where a bulk replay made it, which waits on."
            ),
            "reserved_pod": .text,
            "first": .requestID.about("The line's first request."),
        ]
    )

    private static let waits = Schema.object([
        "window": .seconds.about("What is looked back on, in seconds."),
        "count": .count.about("Requests that ended in it; the rest is how long they had been held, in seconds."),
        "p50": .number.orNull, "p90": .number.orNull, "p99": .number.orNull, "max": .number.orNull,
    ])

    private static let point = Schema.object([
        "at": .time.about("When it began."), "completed": .count,
        "server_errors": .count.about("Of the completed, those that a pod answered with 500 or above."),
        "failed": .count, "expired": .count,
        "cancelled": .count, "rejected": .count, "depth": .count.about("The most that waited in it."),
        "oldest_age": .seconds, "hold_p50": .number.orNull, "hold_p99": .number.orNull,
        "upstream_p50": .number.orNull, "upstream_p99": .number.orNull,
    ])
}
