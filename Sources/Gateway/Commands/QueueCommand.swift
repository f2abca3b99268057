import Admin
import ArgumentParser

/// Shows who waits for what.
struct QueueCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "Show how many requests wait, for how long, and for what.",
        discussion:
            "A line for each group of requests that wait for the same: the first of it will be refused when REFUSED IN has passed. Bulk replays wait on."
    )

    @OptionGroup var watching: WatchOptions
    @OptionGroup var options: AdminOptions

    func run() async throws {
        try await reporting {
            try await Showing(path: "/admin/api/queue", text: Self.text).run(options, watch: watching.watch)
        }
    }

    @Sendable static func text(_ answers: [(gateway: String?, payload: QueuePayload)], _ terminal: Terminal) -> String {
        let text = answers.map { summary($0.payload, of: $0.gateway) }.joined()
        var lines = TextTable([
            .left("GATEWAY"), .right("WAITING"), .right("OLDEST"), .right("REFUSED IN", spared: 2), .long("ROUTE"),
            .left("NEEDS", spared: 1),
            .left("PRIORITY", spared: 3), .left("FOR"), .long("BECAUSE"),
        ])
        for (gateway, queue) in answers {
            for line in queue.lines {
                lines.add([
                    gateway ?? "", "\(line.depth)", ShownValue.duration(line.oldestAge),
                    line.deadlineIn.map { ShownValue.duration($0) } ?? "–",
                    line.route, ShownValue.needs(line.needs), line.priority == "live" ? "" : line.priority, line.why,
                    line.explanation,
                ])
            }
        }
        guard !lines.isEmpty else { return text }
        return text + "\n" + lines.text(width: terminal.width)
    }

    /// How long those were held that ended lately.
    private static func held(_ waits: WaitsPayload) -> String {
        let window = "in the last \(Int((waits.window / 60).rounded())) minutes"
        guard waits.count > 0 else { return "\(window) nothing ended" }
        let parts = [("half", waits.p50), ("90 %", waits.p90), ("99 %", waits.p99), ("all", waits.max)]
            .compactMap { name, seconds in seconds.map { "\(name) within \(ShownValue.duration($0))" } }
        return "\(window) \(waits.count) ended; of their holds \(parts.joined(separator: ", "))"
    }

    /// `2 requests wait, the oldest for 12.3 s; 3 run`
    private static func summary(_ queue: QueuePayload, of gateway: String?) -> String {
        let waiting =
            queue.depth == 0
            ? "nothing waits"
            : "\(ShownValue.count(queue.depth, "request")) wait\(queue.depth == 1 ? "s" : ""), the oldest for \(ShownValue.duration(queue.oldestAge))"
        let paused = queue.routes.filter(\.paused).map { VisibleText.line($0.name) }.joined(separator: ", ")
        let states = [
            queue.paused ? "dispatching is paused" : nil, paused.isEmpty ? nil : "paused: \(paused)",
            queue.draining ? "the gateway is draining" : nil,
        ]
        let parts =
            [waiting, "\(queue.dispatched) \(queue.dispatched == 1 ? "runs" : "run")"] + states.compactMap(\.self)
        let name = gateway.map { "\($0): " } ?? ""
        return name + parts.joined(separator: "; ") + "\n" + name + held(queue.waits) + "\n"
    }
}
