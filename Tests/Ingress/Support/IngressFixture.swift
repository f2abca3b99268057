import Core
import Foundation
import HTTP
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix

@testable import Ingress
@testable import Queue

/// What an ingress needs beside its clients: a folder for bodies, a journal and an intake of its own.
struct IngressParts {
    let intake: FakeIntake
    let journal = FakeJournal()
    let routes = RouteBook()
    let budget: ByteBudget
    let health = HealthState()
    let spool: BodySpool
    var configuration = IngressConfiguration()
    var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init(budget: Int = 1 << 30, intake: FakeIntake = FakeIntake()) throws {
        self.intake = intake
        self.budget = ByteBudget(limit: budget)
        let path = NSTemporaryDirectory() + "ingress-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        spool = BodySpool(path: path, sync: nil)
        configuration.host = "127.0.0.1"
        configuration.port = 0
    }

    func files() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: spool.path) }

    func remove() {
        spool.close()
        try? FileManager.default.removeItem(atPath: spool.path)
    }

    var shared: IngressShared {
        IngressShared(
            configuration: configuration,
            routes: routes,
            intake: intake,
            journal: journal,
            spool: spool,
            budget: budget,
            health: health,
            logger: logger
        )
    }

    func server(_ group: any EventLoopGroup, onDrainTimeout: @escaping @Sendable () async -> Void = {}) -> IngressServer
    {
        IngressServer(
            configuration: configuration,
            eventLoopGroup: group,
            routes: routes,
            intake: intake,
            journal: journal,
            spool: spool,
            budget: budget,
            health: health,
            logger: logger,
            onDrainTimeout: onDrainTimeout
        )
    }
}

/// A server on a port of its own for the length of `body`, with both ends of its connections in real sockets.
func withServer(
    _ parts: IngressParts,
    loops: Int = 1,
    _ body: (IngressServer, Int) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
    let server = parts.server(group)
    let outcome: Result<Void, any Error>
    do {
        let port = try await server.start().port!
        try await body(server, port)
        outcome = .success(())
    } catch {
        outcome = .failure(error)
    }
    await server.closeListener()
    await server.closeConnections()
    try await group.shutdownGracefully()
    parts.remove()
    try outcome.get()
}

/// A connection on an event loop whose time the test moves.
final class EmbeddedConnection {
    let parts: IngressParts
    let channel = EmbeddedChannel()
    let loop: IngressLoop

    init(_ parts: IngressParts) throws {
        self.parts = parts
        let shared = parts.shared
        loop = IngressLoop(eventLoop: channel.eventLoop, shared: shared)
        try ClientConnection.install(on: channel, loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "10.1.2.3", port: 1)).wait()
    }

    func send(_ text: String) throws {
        try channel.writeInbound(ByteBuffer(string: text))
        channel.embeddedEventLoop.run()
    }

    /// What was written since the last call.
    func received() throws -> String {
        channel.embeddedEventLoop.run()
        var text = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text
    }

    func advance(_ time: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: time) }

    func close() {
        _ = try? channel.finish(acceptAlreadyClosed: true)
        parts.remove()
    }
}
