import HTTPTypes

extension ChangeCalls {
    static let document = [
        CallDocument(
            method: .get,
            path: "/admin/api/changes",
            summary: "What operators did, newest first, a page at a time",
            parameters: [
                .query("before", .integer(1...Int.max).about("`next` of the page before.")),
                .query("limit", .integer(1...RequestQuery.longestPage)),
            ],
            answers: [
                .json(
                    .object(["changes": .list(of: .named("Change"))], maybe: ["next": .integer(1...Int.max)])
                )
            ]
        )
    ]

    static let schemas: [(String, Schema)] = [
        (
            "Change",
            .object(
                [
                    "id": .integer(1...Int.max),
                    "at": .time,
                    "action": .text.about("`hold_timeout`, `pause`, `drain`, …"),
                    "client": .text.about("The address that the call came from."),
                    "by": .word(["admin", "session", "read", "none"]),
                ],
                maybe: [
                    "subject": .text.about("A route, a pod, a request; left out for the gateway as a whole."),
                    "from": .text,
                    "to": .text,
                ]
            )
        )
    ]
}
