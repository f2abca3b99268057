import Foundation
import Logging

@testable import Gateway

/// Opens a gateway on any free ports of this machine, with its log in memory.
func openGateway(_ arguments: [String], _ written: Written) async throws -> GatewayServer {
    var flags = arguments
    for (flag, value) in [
        ("--gateway-host", "127.0.0.1"), ("--gateway-port", "0"), ("--admin-port", "0"), ("--event-loops", "1"),
        ("--drain-timeout", "1"),
    ] where !arguments.contains(where: { $0.hasPrefix(flag) }) {
        flags.append("\(flag)=\(value)")
    }
    let given = flags
    let read: @Sendable () throws -> LoadedConfiguration = {
        try LoadedConfiguration.load(arguments: given, environment: [:])
    }
    let loaded = try read()
    let logs = LogOutput(format: .text, level: .info, write: written.write)
    return try await GatewayServer.open(loaded, logs: logs, descriptorLimit: 1000, reload: read)
}

/// Runs a gateway until `body` has returned.
func running(_ server: GatewayServer, _ body: @Sendable (_ adminPort: Int) async throws -> Void) async throws {
    let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run(signals: false) { continuation.yield($0) } }
        for await port in stream {
            try await body(port)
            break
        }
        await server.shutDown()
        try await group.waitForAll()
    }
    server.flushLogs()
}

func writeFile(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
}

func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "gateway-tests-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}
