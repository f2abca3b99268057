import ArgumentParser

/// Runs one pure part so many times, and nothing else, for whoever counts its instructions.
struct PartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "part",
        abstract: "Runs one part of the data path again and again; `make bench-guard` counts its instructions."
    )

    @Argument(help: "Which part: \(GuardedPart.allCases.map(\.rawValue).joined(separator: ", ")).")
    var part: GuardedPart
    @Option(help: "How often.")
    var times = 1_000

    func run() throws {
        let run = try part.prepare()
        for _ in 0..<times { run() }
    }
}

extension GuardedPart: ExpressibleByArgument {}
