package import ArgumentParser
import Core
import Glibc
import Logging
import NIOCore
import NIOPosix
import OpenAPI
import UnixSignals

/// `neutrino-pod`: a task pod by itself, simulated or in front of an HTTP server.
package struct NeutrinoPodCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "neutrino-pod",
        abstract: "A task pod for Neutrino Gateway.",
        discussion: """
            With --upstream it stands in front of any HTTP server and makes a task pod of it: it admits what its resources suffice \
            for, answers 503 to the rest, and reports at /capacity. Without, it runs tasks that only take time \
            (?ms=50, ?bytes=1000000, ?events=10&interval_ms=20, ?status=404, ?fail=reset|close|stall|cut|hang|garbage|slow).

            Its own account is at /_pod/stats and /_pod/requests. SIGTERM finishes what runs; a second one ends at once.

            Each option can be given by the environment too: --memory-gb is NEUTRINO_POD_MEMORY_GB. An option goes before it.
            """
    )

    @Option(help: "Address to listen on. (default: 0.0.0.0)")
    var host: String?
    @Option(help: "Port to listen on, 0 for any that is free; the address is printed. (default: 8080)")
    var port: String?
    @Option(
        help:
            "What it is called in answers and stats. (default: the machine's name and the port, or the process's number)"
    )
    var name: String?
    @Option(help: "CPUs, fractions allowed. (default: what cgroup v2 allows, else the machine's)")
    var cpus: String?
    @Option(help: "GPUs, fractions allowed. (default: the visible NVIDIA devices)")
    var gpus: String?
    @Option(help: "Memory in 10⁹ bytes, fractions allowed. (default: what cgroup v2 allows, else the machine's)")
    var memoryGb: String?
    @Option(help: "How many tasks run at once at most, reported as workers. (default: as many as fit)")
    var maxConcurrency: String?
    @Option(help: "Form of GET /capacity: flat or nested. (default: flat)")
    var capacityForm: String?
    @Option(help: "Whether answers carry Neutrino-Capacity: true or false. (default: true)")
    var capacityField: String?
    @Option(help: "OpenAPI document with x-neutrino-resources, for requests without Neutrino-Resources.")
    var openapi: String?
    @Flag(help: "Run tasks that only take time. This is the default without --upstream.")
    var simulate = false
    @Option(help: "How long a simulated task takes that does not say so itself, in milliseconds. (default: 0)")
    var taskMs: String?
    @Option(help: "The server behind: http://HOST:PORT.")
    var upstream: String?
    @Option(
        help:
            "Path of the server that answers 200 once it can work; until then nothing is reported free. (default: none, it is ready when it accepts connections)"
    )
    var upstreamReady: String?
    @Option(
        help:
            "Seconds that the slot of a client that left is kept for a server that has not answered; 0 closes the connection to the server at once. (default: 5)"
    )
    var cancelGrace: String?
    @Option(help: "Threads. (default: 1)")
    var eventLoops: String?

    package init() {}

    /// The process's whole life.
    package static func start() async { await main() }

    package mutating func run() async throws {
        var settings = PodSettings(environment: Self.environment())
        settings.take(self)
        let configuration: TaskPodConfiguration
        let loops: Int
        do throws(TaskPodError) {
            configuration = try settings.configuration()
            loops = try settings.eventLoops()
        } catch {
            throw ValidationError(error.message)
        }
        // A client that leaves must not end the process.
        signal(SIGPIPE, SIG_IGN)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let logger = Logger(label: "neutrino-pod") { StreamLogHandler.standardError(label: $0) }
        for warning in configuration.document?.warnings ?? [] { logger.warning("\(warning)") }
        try await Self.serve(configuration, group, logger)
        try await group.shutdownGracefully()
    }

    private static func serve(
        _ configuration: TaskPodConfiguration,
        _ group: MultiThreadedEventLoopGroup,
        _ logger: Logger
    ) async throws {
        // Listened for before the first request can come.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let server = try await TaskPodServer.start(configuration, group: group, logger: logger)
        print("neutrino-pod \(server.name) on http://\(configuration.host):\(server.port), \(configuration.total)")
        fflush(nil)
        // Signals can be iterated over once only, but the second is awaited elsewhere than the first.
        let (received, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(2))
        await withTaskGroup(of: Bool.self) { tasks in
            tasks.addTask {
                for await signal in signals { continuation.yield("\(signal)") }
                return true
            }
            for await signal in received {
                logger.info("Finishing what runs", metadata: ["signal": "\(signal)"])
                break
            }
            tasks.addTask {
                await server.drain()
                return true
            }
            tasks.addTask {
                for await _ in received { return false }
                return true
            }
            if await tasks.next() == false {
                logger.warning("Ending at once", metadata: ["running": "\(server.statistics().running)"])
                await server.stop()
            }
            tasks.cancelAll()
        }
    }

    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var pointer = environ
        while let entry = pointer.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            pointer += 1
        }
        return variables
    }
}
