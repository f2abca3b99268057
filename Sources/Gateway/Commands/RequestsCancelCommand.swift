import ArgumentParser

/// Takes a request that waits out of the queue.
struct RequestsCancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "Take a request that waits out of the queue; its client gets 503 operator_cancelled."
    )

    @Argument(help: ArgumentHelp("As Neutrino-Request-Id tells it.", valueName: "ID"))
    var id: String

    @OptionGroup var options: AdminOptions

    func validate() throws {
        guard !id.isEmpty else { throw ValidationError("the ID is empty") }
    }

    func run() async throws {
        try await reporting {
            let path = "/admin/api/requests/\(AdminClient.encoded(id))"
            let (_, answer) = try await options.fleet().first { gateway throws(GatewayError) in
                try await gateway.call("DELETE", path)
            }
            StandardStream.output.write(
                options.json ? JSONLine.text(answer.text, of: nil) : "cancelled \(VisibleText.line(id))\n"
            )
        }
    }
}
