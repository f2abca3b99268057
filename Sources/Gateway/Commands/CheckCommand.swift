import ArgumentParser

/// Prints what `serve` would run with, and whether it could.
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Print every setting, its value and where it comes from, the routes, and what is wrong.",
        usage: "neutrino-gateway check [--config FILE] [--key value ...]",
        discussion:
            "Takes the flags and the environment of `serve`. Ends with 0 where `serve` could run with it, with 78 where it could not.\n\n"
            + SettingCatalogue.help
    )

    @OptionGroup var options: ConfigurationFlags

    func run() async throws {
        try await reporting {
            let loaded = try options.load()
            let report = CheckReport(
                loaded: loaded,
                routes: Result { () throws(GatewayError) in try RouteSource(loaded).read() },
                findings: await EnvironmentCheck(loaded).run()
            )
            StandardStream.output.write(report.text)
            if report.hasProblems {
                throw GatewayError(.configuration, "the configuration cannot be run with: see the problems above")
            }
        }
    }
}
