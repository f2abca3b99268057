import ArgumentParser
import Foundation

/// The configuration's flags, as commands take them: all that ArgumentParser does not know is left to ``CommandLineFlags``, which
/// takes its names from the one table.
struct ConfigurationFlags: ParsableArguments {
    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("Settings: --config FILE, and the flags listed above.", valueName: "--key value")
    )
    var flags: [String] = []

    /// Reads flags, environment and file.
    func load() throws -> LoadedConfiguration {
        try LoadedConfiguration.load(arguments: flags, environment: ProcessInfo.processInfo.environment)
    }
}

/// Runs a command; what it throws is told on standard error, in words, and becomes the exit code.
func reporting(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch let error as GatewayError {
        StandardStream.error.write("neutrino-gateway: \(error)\n")
        throw error.exitCode
    }
}

extension GatewayError {
    /// 78 (EX_CONFIG of sysexits.h) for what only a person can mend before another start, 64 (EX_USAGE) for arguments that cannot be, 2 where
    /// a gateway says no, else 1.
    var exitCode: ExitCode {
        switch code {
        case .configuration: ExitCode(78)
        case .usage: .validationFailure
        case .refused: ExitCode(2)
        case .storage, .listen, .ended, .unreachable: .failure
        }
    }
}
