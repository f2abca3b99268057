import HTTPTypes

extension SessionCalls {
    static let document = [
        CallDocument(
            method: .get,
            path: "/admin/api/session",
            summary: "What the caller may do, and by what right",
            answers: [
                .json(
                    .object(
                        [
                            "role": .word(["none", "read", "full"]),
                            "by": .word(["none", "admin", "read", "session"]),
                            "login_required": .flag,
                            "version": .text,
                        ],
                        maybe: ["ends_in": .seconds]
                    )
                )
            ],
            problems: [401, 429],
            isOpen: true
        ),
        CallDocument(
            method: .post,
            path: "/admin/login",
            summary: "Gives a session's cookie for a token",
            body: .init(schema: .object(["token": .text], others: true), isRequired: true, takesForms: true),
            answers: [
                .empty(204, "The cookie is set."), .empty(303, "The same, to a form: the page is next."),
            ],
            problems: [401, 429],
            isOpen: true
        ),
        CallDocument(
            method: .post,
            path: "/admin/logout",
            summary: "Ends the session",
            answers: [.empty(204, "The cookie is gone.")],
            problems: [401, 429],
            isOpen: true
        ),
    ]
}
