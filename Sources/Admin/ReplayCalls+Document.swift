import HTTPTypes

extension ReplayCalls {
    static let document = [
        CallDocument(
            method: .get,
            path: "/admin/api/replays",
            summary: "Bulk replays, the newest first",
            answers: [.json(.object(["replays": .list(of: .named("Replay"))]))]
        ),
        CallDocument(
            method: .post,
            path: "/admin/api/replays",
            summary:
                "Sends many requests again in the background, by filter; with dry_run only says what would be done",
            body: .init(schema: .named("ReplayJobOrder"), isRequired: true),
            answers: [
                .json(.named("ReplayPreview"), "With dry_run: what would be done."),
                .json(.named("Replay"), status: 202, "It runs."),
            ],
            problems: [409]
        ),
        CallDocument(
            method: .get,
            path: "/admin/api/replays/{id}",
            summary: "How far a bulk replay came",
            parameters: [id],
            answers: [.json(.named("Replay"))],
            problems: [404]
        ),
        CallDocument(
            method: .post,
            path: "/admin/api/replays/{id}/pause",
            summary: "Makes no further replays for now",
            parameters: [id],
            answers: [.json(.named("Replay"), "The job afterwards.")],
            problems: [404, 409]
        ),
        CallDocument(
            method: .post,
            path: "/admin/api/replays/{id}/resume",
            summary: "Goes on",
            parameters: [id],
            body: .init(
                schema: .object([:], maybe: ["headers": .fields().orNull.about("Credentials, anew.")])
            ),
            answers: [.json(.named("Replay"), "The job afterwards.")],
            problems: [404, 409]
        ),
        CallDocument(
            method: .delete,
            path: "/admin/api/replays/{id}",
            summary: "Ends a bulk replay; what waits of it is cancelled",
            parameters: [id],
            answers: [.json(.named("Replay"), "The job afterwards.")],
            problems: [404, 409]
        ),
    ]

    private static let id = CallDocument.Parameter.path("id", LogFilterDocument.job)

    static let schemas: [(String, Schema)] = [
        ("Filter", LogFilterDocument.order()),
        (
            "ReplayJobOrder",
            .object(
                ["filter": .named("Filter")],
                maybe: [
                    "dry_run": .flag.orNull,
                    "rate": .number(0.01...10_000).orNull.about("A second; 10 where absent."),
                    "max": .integer(1...1_000_000).orNull.about("10,000 where absent."),
                    "confirm": .flag.orNull.about("Also what may have run and is not idempotent."),
                    "headers": .fields().orNull.about("In place of the rows': credentials."),
                ]
            )
        ),
        ("Replay", job),
        ("ReasonCounts", .list(of: .object(["reason": .text, "count": .count]))),
        (
            "ReplayPreview",
            .object([
                "matching": .count, "complete": .flag.about("Whether that is all; else there are at least so many."),
                "replayable": .count, "refused": .named("ReasonCounts"), "first": .list(of: .named("Request")),
            ])
        ),
    ]

    private static let job = Schema.object(
        [
            "id": .text(matching: "^[1-9][0-9]*$"),
            "state": .word(["running", "paused", "finished", "cancelled"]),
            "filter": LogFilterDocument.answer,
            "rate": .number,
            "max": .count,
            "confirm": .flag,
            "headers": .list(of: .text).about("Names of the fields that were supplied."),
            "created_at": .time,
            "matching": .count,
            "complete": .flag.about("Whether `matching` is all; else there were at least so many."),
            "queued": .count.about("Replays made."),
            "waiting": .count,
            "dispatched": .count,
            "completed": .count,
            "server_errors": .count.about("Of the completed, those that a pod answered with 500 or above."),
            "failed": .count.about("Failed, expired, cancelled, abandoned."),
            "interrupted": .count.about("The gateway ended while a pod had them; not repeated."),
            "skipped": .named("ReasonCounts"),
        ],
        maybe: ["detail": .text.about("Why it paused by itself, or holds off."), "ended_at": .time]
    )
}
