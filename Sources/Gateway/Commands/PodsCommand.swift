import Admin
import ArgumentParser

/// Shows pods, and takes them out of use.
struct PodsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pods",
        abstract: "Show pods and what is free on them; drain them, reset their breakers.",
        subcommands: [List.self, Drain.self, Undrain.self, Reset.self],
        defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "Show each pod: whether it is used, what is free of what it has, what runs.",
            discussion: """
                STATE is ready, draining (gets nothing new), resting (its breaker is open), stale (its sample is too old to go by), silent \
                (no poll succeeded yet), gone.
                """
        )

        @OptionGroup var watching: WatchOptions
        @OptionGroup var options: AdminOptions

        func run() async throws {
            try await reporting {
                try await Showing(path: "/admin/api/pods", text: PodsCommand.text).run(options, watch: watching.watch)
            }
        }
    }

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "drain",
            abstract: "Send a pod nothing new; what runs on it goes on."
        )

        @OptionGroup var pod: PodOptions

        func run() async throws { try await reporting { try await pod.call("drain") } }
    }

    struct Undrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "undrain", abstract: "Use a pod again.")

        @OptionGroup var pod: PodOptions

        func run() async throws { try await reporting { try await pod.call("undrain") } }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "reset",
            abstract: "Close a pod's breaker: it is tried again at once."
        )

        @OptionGroup var pod: PodOptions

        func run() async throws { try await reporting { try await pod.call("reset") } }
    }

    /// Which pod a command is about.
    struct PodOptions: ParsableArguments {
        @Argument(help: ArgumentHelp("As `pods` shows it.", valueName: "POD"))
        var id: String

        @OptionGroup var options: AdminOptions

        /// Every gateway decides for itself which pods it uses: all are told.
        func call(_ verb: String) async throws {
            let path = "/admin/api/pods/\(AdminClient.encoded(id))/\(verb)"
            try await Changing(path: path, body: [String: String](), text: PodsCommand.oneText).run(options)
        }
    }

    @Sendable static func oneText(_ answers: [(gateway: String?, payload: PodPayload)], _ terminal: Terminal) -> String
    {
        table(answers.map { ($0.gateway, [$0.payload]) }, terminal)
    }

    @Sendable static func text(_ answers: [(gateway: String?, payload: PodsPayload)], _ terminal: Terminal) -> String {
        table(answers.map { ($0.gateway, $0.payload.pods) }, terminal)
            + answers.flatMap { troubles($0.payload.discovery, of: $0.gateway) }.joined()
    }

    /// What keeps pods from being found or used, a line each.
    private static func troubles(_ discovery: DiscoveryPayload, of gateway: String?) -> [String] {
        let place = gateway.map { "\($0): " } ?? ""
        let mistakes = discovery.skipped.filter(\.mistake).map { pod in
            "\(place)\(pod.namespace.map { "\($0)/" } ?? "")\(pod.name) is not used: \(pod.reason)\n"
        }
        return (discovery.problem.map { ["\(place)discovery: \($0)\n"] } ?? []) + mistakes
    }

    private static func table(_ gateways: [(String?, [PodPayload])], _ terminal: Terminal) -> String {
        var table = TextTable([
            .left("GATEWAY"), .left("POD"), .left("NAME", spared: 4), .left("STATE"), .right("CPUS"), .right("GPUS"),
            .right("MEMORY GB"),
            .right("RUN"), .right("SAMPLE", spared: 3), .right("ANSWERED", spared: 1), .right("FAILED", spared: 2),
            .long("NOTE"),
        ])
        for (gateway, pods) in gateways {
            for pod in pods { table.add([gateway ?? ""] + cells(pod)) }
        }
        guard !table.isEmpty else { return "no pods are known\n" }
        return table.text(width: terminal.width)
    }

    private static func cells(_ pod: PodPayload) -> [String] {
        func share(_ part: (NeedsPayload) -> Double) -> String {
            let free = pod.available.map { ShownValue.number(part($0)) } ?? "?"
            return pod.total.map { "\(free)/\(ShownValue.number(part($0)))" } ?? free
        }
        return [
            pod.id, pod.name ?? "", state(pod), share(\.cpus), share(\.gpus), share(\.memoryGb), "\(pod.leases)",
            pod.sampleAge.map { ShownValue.duration($0) } ?? "", "\(pod.counts.answered)", "\(failures(pod.counts))",
            notes(pod).joined(separator: "; "),
        ]
    }

    private static func failures(_ counts: PodPayload.Counts) -> Int {
        counts.serverErrors + counts.connectFailed + counts.timeouts + counts.resets
    }

    private static func state(_ pod: PodPayload) -> String {
        if pod.gone { return "gone" }
        if pod.draining { return "draining" }
        if pod.breaker == "open" { return "resting" }
        if pod.available == nil { return "silent" }
        if pod.stale { return "stale" }
        return pod.routable ? "ready" : pod.breaker
    }

    private static func notes(_ pod: PodPayload) -> [String] {
        var notes: [String] = []
        if let seconds = pod.breakerReopensIn { notes.append("tried again in \(ShownValue.duration(seconds))") }
        if let route = pod.reservedForRoute { notes.append("kept free for \(route)") }
        if let problem = pod.pollProblem { notes.append(problem) }
        if let idle = pod.idleWorkers {
            notes.append("\(idle)\(pod.totalWorkers.map { " of \($0)" } ?? "") workers idle")
        }
        return notes
    }
}
