import ArgumentParser

/// The request log.
struct RequestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "requests",
        abstract: "List requests, show one, cancel one that waits, send one again.",
        subcommands: [
            RequestsListCommand.self, RequestsShowCommand.self, RequestsReplayCommand.self, RequestsCancelCommand.self,
        ],
        defaultSubcommand: RequestsListCommand.self
    )
}
