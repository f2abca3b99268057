import Admin
import ArgumentParser

/// Stops dispatching; holding goes on.
struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract:
            "Stop sending requests to pods: of one route, or all of them. They are held, and refused when their hold timeout passes.",
        discussion: "What runs goes on. It outlives a restart of the gateway: `resume` ends it."
    )

    @OptionGroup var pausing: PausingOptions

    func run() async throws { try await reporting { try await pausing.call("pause") } }
}

/// Goes on dispatching.
struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Send requests to pods again: of one route that was paused, or all of them."
    )

    @OptionGroup var pausing: PausingOptions

    func run() async throws { try await reporting { try await pausing.call("resume") } }
}

/// What `pause` and `resume` are about.
struct PausingOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("As `routes` shows it: 'POST /v1/train'; without it, all.", valueName: "ROUTE"))
    var route: String?

    @OptionGroup var options: AdminOptions

    func call(_ verb: String) async throws {
        try await Changing(path: "/admin/api/\(verb)", body: PauseOrder(route: route), text: Self.text).run(options)
    }

    @Sendable static func text(_ answers: [(gateway: String?, payload: PausePayload)], _ terminal: Terminal) -> String {
        answers.map { gateway, pause in
            let everything = pause.paused ? "dispatching is paused" : "dispatching goes on"
            let routes = pause.routes.isEmpty ? "" : "; paused by themselves: \(pause.routes.joined(separator: ", "))"
            return (gateway.map { "\($0): " } ?? "") + everything + VisibleText.line(routes) + "\n"
        }
        .joined()
    }
}
