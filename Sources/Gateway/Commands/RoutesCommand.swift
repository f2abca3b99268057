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
            abstract:
                "Change how long a route's requests may wait, or how many may run: at once, also for those that wait, and for good.",
            discussion:
                "A value is kept in the database and goes before the configuration's until it is given back with `default`."
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
        var holdTimeout: String?

        @Option(
            name: .long,
            help: ArgumentHelp(
                "How many of its requests may be with pods at once; `default` gives it back.",
                valueName: "N"
            )
        )
        var maxConcurrency: String?

        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await reporting {
                let order = try order()
                let path = "/admin/api/routes/\(AdminClient.encoded(route))"
                try await Changing(method: "PATCH", path: path, body: order, text: RoutesCommand.oneText).run(options)
            }
        }

        func validate() throws {
            if holdTimeout == nil, maxConcurrency == nil {
                throw ValidationError("say what to change: --hold-timeout, --max-concurrency")
            }
        }

        private func order() throws(GatewayError) -> RouteOrder {
            var order = RouteOrder()
            if let holdTimeout {
                order.holdTimeout = try Self.change(
                    holdTimeout,
                    "--hold-timeout",
                    "seconds, a number with ms, s, m or h"
                ) {
                    DurationText.parse($0).map { $0 / .seconds(1) }
                }
            }
            if let maxConcurrency {
                order.maxConcurrency = try Self.change(maxConcurrency, "--max-concurrency", "a whole number") {
                    Int($0).map(Double.init)
                }
            }
            return order
        }

        private static func change(
            _ text: String,
            _ flag: String,
            _ accepted: String,
            _ parse: (String) -> Double?
        ) throws(GatewayError) -> RouteOrder.Change<Double> {
            if text == "default" { return .givenBack }
            guard let value = parse(text) else {
                throw GatewayError(.usage, "\(flag) \(quoted(text)) is not accepted; \(accepted), or `default` is")
            }
            return .to(value)
        }
    }

    @Sendable static func text(_ answers: [(gateway: String?, payload: RoutesPayload)], _ terminal: Terminal) -> String
    {
        table(answers.flatMap { answer in answer.payload.routes.map { (answer.gateway, $0) } }, terminal)
    }

    @Sendable static func oneText(
        _ answers: [(gateway: String?, payload: RoutePayload?)],
        _ terminal: Terminal
    ) -> String {
        let routes = answers.compactMap { gateway, route in route.map { (gateway, $0) } }
        let gone = answers.filter { $0.payload == nil }.map { gateway, _ in
            "\(gateway.map { "\($0): " } ?? "")the route is gone; its values are given back\n"
        }
        return (routes.isEmpty ? "" : table(routes, terminal)) + gone.joined()
    }

    private static func table(_ routes: [(String?, RoutePayload)], _ terminal: Terminal) -> String {
        var table = TextTable([
            .left("GATEWAY"), .long("ROUTE"), .long("NEEDS", spared: 4), .right("HOLD"), .left("FROM"),
            .right("TIMEOUT", spared: 3),
            .left("FROM", spared: 2),
            .right("AT ONCE", spared: 5), .left("STATE"), .left("REPEATED", spared: 1),
        ])
        for (gateway, route) in routes {
            table.add([
                gateway ?? "", route.id, ShownValue.needs(route.needs), ShownValue.duration(route.holdTimeout),
                route.sources.holdTimeout, ShownValue.duration(route.requestTimeout), route.sources.requestTimeout,
                route.maxConcurrency.map { "\($0)" } ?? "", route.paused ? "paused" : "",
                route.retry,
            ])
        }
        return table.text(width: terminal.width)
    }
}
