import Core
import HTTPTypes

extension RequestCalls {
    static let document = [
        CallDocument(
            method: .get,
            path: "/admin/api/requests",
            summary: "The request log, newest first, a page at a time",
            parameters: [
                .query("state", .words(LogFilterDocument.states)),
                .query("reason", .words(LogFilterDocument.reasons)),
                .query("route", LogFilterDocument.name),
                .query("pod", LogFilterDocument.name),
                .query("status", LogFilterDocument.status),
                .query("since", LogFilterDocument.moment),
                .query("until", LogFilterDocument.moment),
                .query("text", LogFilterDocument.text),
                .query("replay_of", .requestID),
                .query("replay_job", LogFilterDocument.job),
                .query("before", .requestID.about("`next` of the page before.")),
                .query("limit", .integer(1...RequestQuery.longestPage)),
            ],
            answers: [.json(.named("Requests"))]
        ),
        CallDocument(
            method: .get,
            path: "/admin/api/requests/{id}",
            summary: "One request: timeline, attempts, headers, body, answer, replays",
            parameters: [id],
            answers: [.json(.named("RequestDetail"))],
            problems: [404]
        ),
        CallDocument(
            method: .delete,
            path: "/admin/api/requests/{id}",
            summary: "Takes a request that waits out of the queue",
            parameters: [id],
            answers: [.empty(204, "It waits no longer; its client gets 503.")],
            problems: [404, 409]
        ),
        CallDocument(
            method: .post,
            path: "/admin/api/requests/{id}/replay",
            summary: "Sends a request again, as a new one",
            parameters: [id],
            body: .init(schema: .named("ReplayOrder")),
            answers: [
                .json(.object(["id": .requestID, "replay_of": .requestID]), status: 202, "It is queued.")
            ],
            problems: [404, 409]
        ),
    ]

    private static let id = CallDocument.Parameter.path("id", .requestID)

    static let schemas: [(String, Schema)] = [
        (
            "Requests",
            .object(
                ["requests": .list(of: .named("Request")), "scanned": .count],
                maybe: ["next": .requestID]
            )
        ),
        ("Request", summary),
        ("RequestDetail", detail),
        ("Body", body),
        (
            "ReplayOrder",
            .object(
                [:],
                maybe: [
                    "confirm": .flag.orNull.about("It may have run and is not idempotent: send it all the same."),
                    "headers": .fields(\.orNull).orNull.about(
                        "In place of those of the same names; null leaves one out."
                    ),
                    "method": .word(RequestMethod.allCases.map(\.rawValue)).orNull,
                    "path": .text(matching: "^/[!-\"$-~]{0,4000}$").orNull.about("And query."),
                    "body": .text.orNull,
                    "body_base64": .text(matching: "^([A-Za-z0-9+/]{4})*$").orNull.about("With its padding."),
                ]
            )
            .either("body", or: "body_base64")
        ),
    ]

    private static let summary = Schema.object(
        [
            "id": .requestID, "state": .word(LogFilterDocument.states), "method": .text, "path": .text, "route": .text,
            "attempts": .count,
            "client": .text, "priority": .word(["live", "replay"]), "body_bytes": .count,
            "accepted_at": .time,
        ],
        maybe: [
            "reason": .word(LogFilterDocument.reasons), "detail": .text,
            "status": .integer(100...999),
            "pod": .text, "replay_of": .requestID, "replay_job": .text, "answer_bytes": .count, "ended_at": .time,
            "hold": .seconds,
            "first_byte": .seconds, "upstream": .seconds, "total": .seconds,
        ]
    )

    private static let field = Schema.object(["name": .text, "value": .text])

    private static let detail = Schema.object(
        [
            "request": .named("Request"),
            "needs": .named("Needs"),
            "headers": .list(of: field),
            "withheld": .list(of: .text).about("Names whose values were not kept."),
            "attempts": .list(of: .object(["number": .count, "pod": .text, "at": .time])),
            "timeline": .list(
                of: .object(["at": .time, "state": .word(LogFilterDocument.states)], maybe: ["pod": .text])
            ),
            "replays": .list(of: .requestID),
        ],
        maybe: [
            "body": .named("Body"),
            "answer": .object(
                ["status": .integer(100...999), "headers": .list(of: field), "withheld": .list(of: .text)],
                maybe: ["body": .named("Body")]
            ),
        ]
    )

    private static let body = Schema.object(
        [
            "bytes": .count.about("Of the whole."),
            "kind": .word(["kept", "spooled", "removed"]),
            "is_cut": .flag.about("Whether this is not the whole."),
        ],
        maybe: ["text": .text, "base64": .text]
    )
}
