import ArgumentParser
import Queue

/// Brings the database to this program's schema, without serving.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Make the database, or bring it to this program's schema, and end.",
        usage: "neutrino-gateway migrate [--config FILE] [--key value ...]",
        discussion:
            "`serve` does the same at its start. Takes the flags and the environment of `serve`; what counts is database_path."
    )

    @OptionGroup var options: ConfigurationFlags

    func run() async throws {
        try await reporting {
            let loaded = try options.load()
            let logs = LogOutput.standardError(loaded.settings)
            defer { logs.flush() }
            let path = loaded.settings.databasePath
            do {
                let ran = try RequestQueue.migrate(loaded.settings.queueConfiguration, logger: logs.logger("queue"))
                StandardStream.output.write(
                    ran.isEmpty
                        ? "\(path): nothing to do, the schema is this program's\n"
                        : "\(path): migrated\n" + ran.map { "  \($0)\n" }.joined()
                )
            } catch let error as QueueError {
                throw GatewayError(.storage, "database_path: \(error)")
            }
        }
    }
}
