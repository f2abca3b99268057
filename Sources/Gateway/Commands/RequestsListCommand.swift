import Admin
import ArgumentParser

/// Lists requests.
struct RequestsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List requests, the newest first.",
        discussion: "HOLD is how long it waited, TOTAL how long its client did."
    )

    @OptionGroup var filter: FilterOptions

    @Option(name: .long, help: ArgumentHelp("Requests at most, 1 to 500.", valueName: "N"))
    var limit = 20

    @Option(name: .long, help: ArgumentHelp("Those before this one: the next page.", valueName: "ID"))
    var before: String?

    @OptionGroup var watching: WatchOptions
    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard (1...500).contains(limit) else { throw ValidationError("--limit \(limit) is not accepted; 1 to 500 are") }
    }

    func run() async throws {
        try await reporting {
            var query = try filter.query() + [("limit", "\(limit)")]
            if let before { query.append(("before", before)) }
            let limit = limit
            let showing = Showing<RequestsPayload>(path: "/admin/api/requests", query: query) { answers, terminal in
                Self.text(answers, limit: limit, terminal)
            }
            try await showing.run(options, watch: watching.watch)
        }
    }

    static func text(
        _ answers: [(gateway: String?, payload: RequestsPayload)],
        limit: Int,
        _ terminal: Terminal
    ) -> String {
        var table = TextTable([
            .left("GATEWAY"), .left("ID"), .left("ACCEPTED UTC", spared: 4), .left("STATE"), .right("STATUS"),
            .long("REASON", spared: 5),
            .right("HOLD", spared: 3),
            .right("TOTAL", spared: 2), .left("POD", spared: 1), .long("REQUEST"),
        ])
        let requests = answers.flatMap { answer in answer.payload.requests.map { (answer.gateway, $0) } }
            .sorted { $0.1.acceptedAt > $1.1.acceptedAt }
        // Of several gateways the newest together: what is older than the last of one page may be missing of another.
        for (gateway, request) in requests.prefix(answers.count > 1 ? limit : .max) {
            table.add([
                gateway ?? "", request.id, ShownValue.time(request.acceptedAt), request.state,
                request.status.map { "\($0)" } ?? "", request.reason == "ok" ? "" : request.reason ?? "",
                ShownValue.duration(request.hold), ShownValue.duration(request.total), request.pod ?? "",
                "\(request.method) \(request.path)",
            ])
        }
        var text = table.isEmpty ? "no request matches\n" : ""
        if !table.isEmpty {
            text = table.text(width: terminal.width)
        }
        for (gateway, page) in answers {
            guard let next = page.next else { continue }
            text += (gateway.map { "\($0): " } ?? "") + "more, or further back: --before \(next)\n"
        }
        return text
    }
}
