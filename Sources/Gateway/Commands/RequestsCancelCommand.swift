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

    func run() async throws {
        try await reporting {
            let path = "/admin/api/requests/\(AdminClient.encoded(id))"
            _ = try await options.fleet().first { gateway throws(GatewayError) in
                try await gateway.call("DELETE", path)
            }
            if !options.json { StandardStream.output.write("cancelled \(VisibleText.line(id))\n") }
        }
    }
}
