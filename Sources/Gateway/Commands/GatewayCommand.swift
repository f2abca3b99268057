package import ArgumentParser

/// `neutrino-gateway`: what people type.
package struct GatewayCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "neutrino-gateway",
        abstract:
            "Stands in front of task pods: holds each request until a pod has what it needs, and keeps a row of each.",
        discussion:
            "`neutrino-gateway demo` shows it with three pods in one process; `neutrino-gateway serve --help` lists every setting.",
        version: ProgramVersion.current,
        subcommands: [ServeCommand.self, DemoCommand.self, CheckCommand.self, MigrateCommand.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Operate a running gateway",
                subcommands: [
                    QueueCommand.self, PodsCommand.self, RoutesCommand.self, RequestsCommand.self, ReplaysCommand.self,
                    PauseCommand.self, ResumeCommand.self, ChangesCommand.self,
                    BackupCommand.self, PurgeCommand.self,
                ]
            )
        ]
    )

    package init() {}

    /// The process's whole life.
    package static func start() async { await main() }
}

/// The program's version: what `--version` prints.
package enum ProgramVersion {
    package static let current = "0.1.0"
}
