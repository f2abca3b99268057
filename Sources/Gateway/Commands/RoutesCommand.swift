import Admin
import ArgumentParser

/// Shows routes, and tunes them.
struct RoutesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "routes",
        abstract: "Show routes and where their values come from; change them while the gateway runs.",
        subcommands: [List.self, Set.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Show each route: what it needs, how long its requests may wait, and where each value comes from."
        )

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await reporting {
                try await Showing(path: "/admin/api/routes", text: RoutesCommand.text).run(options)
            }
        }
    }

    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Change a route's hold timeout: at once, also for requests that wait, and for good.",
            discussion:
                "The value is kept in the database and goes before the configuration's until it is given back with `default`."
        )

        @Argument(help: ArgumentHelp("As `routes` shows it: 'POST /v1/train', or default.", valueName: "ROUTE"))
        var route: String

        @Option(
            name: .long,
            help: ArgumentHelp(
                "How long its requests may wait: seconds, or a number with ms, s, m or h; `default` gives it back.",
                valueName: "TIME"
            )
        )
        var holdTimeout: String

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await reporting {
                let order = try order()
                let path = "/admin/api/routes/\(AdminClient.encoded(route))"
                try await Changing(method: "PATCH", path: path, body: order, text: RoutesCommand.oneText).run(options)
            }
        }

        private func order() throws(GatewayError) -> [String: Double?] {
            guard holdTimeout != "default" else { return ["hold_timeout": nil] }
            guard let duration = DurationText.parse(holdTimeout) else {
                throw GatewayError(
                    .usage,
                    "--hold-timeout \(quoted(holdTimeout)) is not accepted; seconds, a number with ms, s, m or h, or `default` are"
                )
            }
            return ["hold_timeout": duration / .seconds(1)]
        }
    }

    @Sendable static func text(_ answers: [(gateway: String?, payload: RoutesPayload)], _ terminal: Terminal) -> String
    {
        table(answers.flatMap { answer in answer.payload.routes.map { (answer.gateway, $0) } }, terminal)
    }

    @Sendable static func oneText(
        _ answers: [(gateway: String?, payload: RoutePayload)],
        _ terminal: Terminal
    ) -> String {
        table(answers.map { ($0.gateway, $0.payload) }, terminal)
    }

    private static func table(_ routes: [(String?, RoutePayload)], _ terminal: Terminal) -> String {
        var table = TextTable([
            .left("GATEWAY"), .long("ROUTE"), .long("NEEDS", spared: 4), .right("HOLD"), .left("FROM"),
            .right("TIMEOUT", spared: 3),
            .left("FROM", spared: 2),
            .left("REPEATED", spared: 1),
        ])
        for (gateway, route) in routes {
            table.add([
                gateway ?? "", route.id, ShownValue.needs(route.needs), ShownValue.duration(route.holdTimeout),
                route.sources.holdTimeout, ShownValue.duration(route.requestTimeout), route.sources.requestTimeout,
                route.retry,
            ])
        }
        return table.text(width: terminal.width)
    }
}
