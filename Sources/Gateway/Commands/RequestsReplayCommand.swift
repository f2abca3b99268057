import Admin
import ArgumentParser

/// Sends a request again.
struct RequestsReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Send a request again, as a new one, behind all live traffic.",
        discussion: "What may have run and is not idempotent is only sent again with --yes."
    )

    @Argument(help: ArgumentHelp("As Neutrino-Request-Id tells it.", valueName: "ID"))
    var id: String

    @Flag(name: .long, help: "Also where it may have run, and its method is not idempotent.")
    var yes = false

    @OptionGroup var fields: FieldOptions
    @OptionGroup var options: AdminOptions

    func run() async throws {
        try await reporting {
            let order = ReplayOrder(confirm: yes ? true : nil, headers: try fields.read())
            let path = "/admin/api/requests/\(AdminClient.encoded(id))/replay"
            let (gateway, answer) = try await options.fleet().first { gateway throws(GatewayError) in
                try await gateway.call("POST", path, body: order)
            }
            if options.json { return StandardStream.output.write(JSONLine.text(answer.text, of: nil)) }
            let replay = try gateway.read(ReplayPayload.self, from: answer)
            StandardStream.output.write("\(replay.id) replays \(replay.replayOf)\n")
        }
    }
}
