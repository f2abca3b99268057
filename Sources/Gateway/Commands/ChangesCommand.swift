import Admin
import ArgumentParser

/// What operators changed.
struct ChangesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "changes",
        abstract: "List what operators changed: when, what, from where and with which token; the newest first."
    )

    @Option(name: .long, help: ArgumentHelp("Changes at most, 1 to 500.", valueName: "N"))
    var limit = 20

    @Option(name: .long, help: ArgumentHelp("Those before this one: the next page.", valueName: "ID"))
    var before: String?

    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard (1...500).contains(limit) else { throw ValidationError("--limit \(limit) is not accepted; 1 to 500 are") }
    }

    func run() async throws {
        try await reporting {
            let query = [("limit", "\(limit)"), ("before", before ?? "")].filter { !$0.1.isEmpty }
            try await Showing(path: "/admin/api/changes", query: query, text: Self.text).run(options)
        }
    }

    @Sendable static func text(_ answers: [(gateway: String?, payload: ChangesPayload)], _ terminal: Terminal) -> String
    {
        var table = TextTable([
            .left("GATEWAY"), .left("AT UTC", spared: 2), .left("ACTION"), .long("SUBJECT"), .left("FROM", spared: 3),
            .left("TO"),
            .left("BY"), .left("CLIENT", spared: 1),
        ])
        for (gateway, payload) in answers {
            for change in payload.changes {
                table.add([
                    gateway ?? "", ShownValue.time(change.at), change.action, change.subject ?? "everything",
                    change.from ?? "",
                    change.to ?? "", change.by, change.client,
                ])
            }
        }
        guard !table.isEmpty else { return "no changes are recorded\n" }
        let more = answers.compactMap { gateway, payload in
            payload.next.map { (gateway.map { "\($0): " } ?? "") + "more: --before \($0)\n" }
        }
        return table.text(width: terminal.width) + more.joined()
    }
}
