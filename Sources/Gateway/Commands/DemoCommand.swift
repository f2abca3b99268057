import ArgumentParser
import Foundation
import Logging
import NIOCore
import NIOPosix

/// A gateway and three simulated pods in one process.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Run a gateway and three simulated task pods in one process, and print what to try.",
        usage: "neutrino-gateway demo [--load N] [--config FILE] [--key value ...]",
        discussion: """
            Takes the flags and the environment of `serve`. What is not given is chosen so that it starts anywhere: the next free ports from \
            8080 and 9090 on, and a database in a temporary folder that is removed at the end.
            """
    )

    @Option(help: ArgumentHelp("Send a mixed load of N requests a second to it, 1 to 10000.", valueName: "N"))
    var load: Int?

    @OptionGroup var options: ConfigurationFlags

    func validate() throws {
        if let load, !(1...10_000).contains(load) {
            throw ValidationError("--load \(load) is not accepted; a number from 1 to 10000 is")
        }
    }

    func run() async throws {
        try await reporting {
            let demo = try await DemoSettings(try options.load()) { await PortProbe.probe($0, $1) == .free }
            defer {
                if let folder = demo.temporaryFolder { try? FileManager.default.removeItem(atPath: folder) }
            }
            let logs = LogOutput.standardError(demo.loaded.settings)
            defer { logs.flush() }
            logs.bootstrap()
            let descriptors = Process.prepare()
            let pods = try await DemoPods.start(on: MultiThreadedEventLoopGroup.singleton, logger: logs.logger("pod"))
            do {
                try await serve(demo, pods, logs, descriptors)
                await pods.stop()
            } catch {
                await pods.stop()
                throw error
            }
        }
    }

    private func serve(_ demo: DemoSettings, _ pods: DemoPods, _ logs: LogOutput, _ descriptors: Int) async throws {
        var loaded = demo.loaded
        if loaded.settings.staticBackends.isEmpty { loaded.settings.staticBackends = pods.backends }
        let server = try await GatewayServer.open(
            loaded,
            logs: logs,
            descriptorLimit: descriptors,
            document: try DemoDocument.read()
        )
        let gateway = Self.url(loaded.settings.gatewayHost, server.address.port ?? 0)
        let scheme = loaded.settings.adminTLSCertFile == nil ? "http" : "https"
        let (adminHost, database) = (loaded.settings.adminHost, loaded.settings.databasePath)
        let mixed = load.map { DemoLoad(rate: $0, gateway: gateway, tell: { StandardStream.output.write("\($0)\n") }) }
        try await server.run(signals: true, also: mixed.map { [$0] } ?? []) { adminPort in
            let text = DemoText(
                gateway: gateway,
                admin: Self.url(adminHost, adminPort, scheme: scheme),
                pods: pods.lines,
                database: database
            )
            StandardStream.output.write(text.text)
        }
    }

    /// Where a listener is found from this machine.
    private static func url(_ host: String, _ port: Int, scheme: String = "http") -> String {
        let host = ["0.0.0.0", "::"].contains(host) ? "127.0.0.1" : host
        return host.contains(":") ? "\(scheme)://[\(host)]:\(port)" : "\(scheme)://\(host):\(port)"
    }
}
