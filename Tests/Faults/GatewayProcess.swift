import Foundation
import Subprocess
import SystemPackage

/// The gateway's executable as a process of its own, which can be killed.
struct GatewayProcess {
    /// Beside the test bundle.
    private static var executable: FilePath {
        let bundle = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        return FilePath(bundle.appending(path: "neutrino-gateway").path)
    }

    /// Runs `serve` and `body` beside it; the process has to end by SIGKILL.
    /// - Parameters:
    ///   - flags: Further ones.
    ///   - body: Gets the ports, and what kills the process.
    static func run(
        folder: URL,
        backends: [String],
        flags: [String] = [],
        _ body: @escaping @Sendable (_ ports: Ports, _ kill: @escaping @Sendable () -> Void) async throws -> Void
    ) async throws {
        let result = try await Subprocess.run(
            .path(executable),
            arguments: Arguments(
                [
                    "serve", "--gateway-host=127.0.0.1", "--gateway-port=0", "--admin-port=0", "--event-loops=2",
                    "--database-path=\(folder.appending(path: "queue.db").path)",
                    "--static-backends=\(backends.joined(separator: ","))",
                    "--capacity-update-interval=0.2", "--log-format=text",
                ] + flags
            ),
            environment: .inherit,
            input: .none,
            output: .discarded,
            error: .sequence
        ) { execution in
            var said: [String] = []
            for try await line in execution.standardError.strings() {
                said.append(line)
                let started = /gateway started.* address=127\.0\.0\.1:(\d+) admin=127\.0\.0\.1:(\d+)/
                guard let match = line.firstMatch(of: started), let clients = Int(match.1), let admin = Int(match.2)
                else { continue }
                let identifier = execution.processIdentifier.value
                try await body(Ports(clients: clients, admin: admin)) { kill(identifier, SIGKILL) }
                return true
            }
            throw ProcessError(description: "the gateway ended before it served: \(said.joined(separator: "\n"))")
        }
        guard case .signaled(9) = result.terminationStatus else {
            throw ProcessError(description: "the gateway ended by itself: \(result.terminationStatus)")
        }
    }

    /// Where it listens.
    struct Ports: Sendable {
        var clients: Int
        var admin: Int
    }

    struct ProcessError: Error, CustomStringConvertible {
        var description: String
    }
}
