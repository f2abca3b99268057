import Core
import HTTPTypes

extension StorageCalls {
    static let document = [
        CallDocument(
            method: .post,
            path: "/admin/api/purge",
            summary: "Removes ended requests by filter",
            body: .init(
                schema: .object(["filter": ended], maybe: ["dry_run": .flag.orNull]),
                isRequired: true
            ),
            answers: [
                .json(
                    .object(["complete": .flag], maybe: ["matching": .count, "removed": .count]),
                    "With dry_run how many match, else how many were removed."
                )
            ]
        ),
        CallDocument(
            method: .get,
            path: "/admin/api/backup",
            summary: "A consistent copy of the database",
            answers: [.stream("application/vnd.sqlite3", "A SQLite database.")],
            problems: [409, 507]
        ),
    ]

    private static let ended = LogFilterDocument.order(RequestState.allCases.filter(\.isTerminal).map(\.name))
}
