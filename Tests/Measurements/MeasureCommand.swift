import ArgumentParser

/// Measures parts of the gateway by themselves, on this machine; every subcommand prints one JSON object.
@main
struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "neutrino-measure",
        abstract: "Measures parts of the gateway by themselves and prints one JSON object.",
        subcommands: [StoreCommand.self, DecisionCommand.self, PartCommand.self]
    )
}
