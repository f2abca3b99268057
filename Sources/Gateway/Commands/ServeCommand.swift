import ArgumentParser
import CoreMetrics

/// Runs the gateway until it is told to end.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the gateway.",
        usage: "neutrino-gateway serve [--config FILE] [--key value ...]",
        discussion: """
            SIGTERM or SIGINT drains: requests that wait or run go on for drain_timeout; a second one ends at once. SIGHUP reads the \
            configuration again, as does a change of its files.

            \(SettingCatalogue.help)
            """
    )

    @OptionGroup var options: ConfigurationFlags

    func run() async throws {
        try await reporting {
            let loaded = try options.load()
            let logs = LogOutput.standardError(loaded.settings)
            defer { logs.flush() }
            logs.bootstrap()
            let descriptors = Process.prepare()
            FileDescriptorLimit.warn(descriptors, of: loaded.settings, logs.logger("gateway"))
            let server = try await GatewayServer.open(
                loaded,
                logs: logs,
                descriptorLimit: descriptors,
                reload: { try options.load() }
            )
            // What libraries record goes where our own figures go.
            MetricsSystem.bootstrap(server.parts.metrics)
            try await server.run(signals: true)
        }
    }
}
