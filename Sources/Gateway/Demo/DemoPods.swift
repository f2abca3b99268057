import Core
import Logging
import NIOCore
import TaskPod

/// The demo's three pods, each on a port of its own of this machine: the seed's, with 2, no and 1 GPUs.
struct DemoPods: Sendable {
    let servers: [TaskPodServer]

    static let totals = [
        ResourceVector(cpus: 8000, gpus: 2000, memory: 32_000),
        ResourceVector(cpus: 8000, gpus: 0, memory: 32_000),
        ResourceVector(cpus: 4000, gpus: 1000, memory: 16_000),
    ]

    /// Starts them.
    /// - Throws: ``GatewayError`` where one cannot listen; those that did are stopped.
    static func start(on group: any EventLoopGroup, logger: Logger) async throws -> DemoPods {
        var servers: [TaskPodServer] = []
        do {
            let document = try DemoDocument.read()
            for (index, total) in totals.enumerated() {
                var configuration = TaskPodConfiguration()
                configuration.name = "pod-\(index + 1)"
                configuration.total = total
                configuration.document = document
                configuration.work = .simulated(SimulatedWork(duration: .milliseconds(100)))
                servers.append(try await TaskPodServer.start(configuration, group: group, logger: logger))
            }
            return DemoPods(servers: servers)
        } catch {
            for server in servers { await server.stop() }
            throw GatewayError(.listen, "the demo's pods cannot start", cause: error)
        }
    }

    /// What the gateway is told of them.
    var backends: [PodDescription] {
        servers.map { PodDescription(host: "127.0.0.1", port: $0.port) }
    }

    /// One line for each: its name, where it is and what it has.
    var lines: [String] {
        servers.map { "\($0.name)      \($0.url)  \($0.configuration.total)" }
    }

    func stop() async {
        for server in servers { await server.stop() }
    }
}
