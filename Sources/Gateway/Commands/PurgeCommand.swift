import Admin
import ArgumentParser
import NIOCore

/// Removes requests from the log.
struct PurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Remove ended requests from the log, by filter, for good.",
        discussion:
            "Asks before it does; --yes does not, --dry-run only counts. Control-C ends it; what was removed by then is gone. What retention would remove goes by itself."
    )

    @Flag(name: .long, help: "Only say how many match.") var dryRun = false
    @Flag(name: .long, help: "Do not ask.") var yes = false
    @OptionGroup(title: "Which requests") var filter: FilterOptions
    @OptionGroup var options: AdminOptions

    func run() async throws {
        try await reporting {
            let gateway = try options.fleet().one(for: "purge")
            let filter = try filter.payload()
            if dryRun || !yes {
                let answer = try await call(gateway, PurgeOrder(filter: filter, dryRun: true))
                let census = try gateway.read(PurgePayload.self, from: answer)
                if dryRun, options.json { return StandardStream.output.write(JSONLine.text(answer.text, of: nil)) }
                if dryRun { return StandardStream.output.write(Self.text(census)) }
                try Asking.whether(Self.question(census), .current)
            }
            let answer = try await call(gateway, PurgeOrder(filter: filter))
            if options.json { return StandardStream.output.write(JSONLine.text(answer.text, of: nil)) }
            let report = try gateway.read(PurgePayload.self, from: answer)
            StandardStream.output.write("removed \(ShownValue.count(report.removed ?? 0, "request"))\n")
            guard report.complete else {
                throw GatewayError(.unreachable, "the gateway ended before all were removed; run it again")
            }
        }
    }

    static func text(_ census: PurgePayload) -> String {
        let count = ShownValue.count(census.matching ?? 0, "request")
        return census.complete
            ? "\(count) would be removed\n" : "at least \(count) would be removed; not all of the log was looked at\n"
    }

    static func question(_ census: PurgePayload) -> String {
        let count = ShownValue.count(census.matching ?? 0, "request")
        return census.complete
            ? "Remove \(count) for good?"
            : "Remove all that match for good, \(count) at least? Not all of the log was looked at."
    }

    /// It takes as long as there are rows; interrupting it ends it.
    private func call(_ gateway: AdminClient, _ order: PurgeOrder) async throws(GatewayError) -> AdminClient.Answer {
        try await gateway.call("POST", "/admin/api/purge", body: order, timeout: .hours(24))
    }
}
