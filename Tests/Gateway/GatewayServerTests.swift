import Core
import Dispatcher
import Foundation
import Ingress
import Logging
import NIOCore
import NIOPosix
import Queue
import Testing

@testable import Gateway

@Suite("The gateway as a whole, without pods", .timeLimit(.minutes(2)))
struct GatewayServerTests {
    @Test("It is ready once it runs, ends when it is told to, and leaves the database to the next")
    func life() async throws {
        try await withFolder { folder in
            for _ in 0..<2 {
                let written = Written()
                let server = try await openGateway(["--database-path", "\(folder)/n.db"], written)
                #expect(server.health.report.databaseOpen)
                try await running(server) { _ in
                    #expect(server.address.port != 0)
                }
                #expect(written.lines.contains { $0.contains("gateway ended") })
            }
        }
    }

    @Test("A database that cannot be is told with its path, and nothing is left open")
    func database() async throws {
        let error = await #expect(throws: GatewayError.self) {
            _ = try await openGateway(["--database-path", "/nowhere/n.db"], Written())
        }
        #expect(error?.code == .storage)
        #expect(error?.message.contains("/nowhere") == true)
    }

    @Test("A port that is taken is told, and the database is free again")
    func port() async throws {
        try await withFolder { folder in
            let taken = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            let port = taken.localAddress?.port ?? 0
            let error = await #expect(throws: GatewayError.self) {
                _ = try await openGateway(["--gateway-port=\(port)", "--database-path=\(folder)/n.db"], Written())
            }
            #expect(error?.code == .listen)
            #expect(error?.message.contains("\(port)") == true)
            // The operators' port is tried when it runs.
            let server = try await openGateway(["--admin-port=\(port)", "--database-path=\(folder)/n.db"], Written())
            let other = await #expect(throws: GatewayError.self) { try await server.run(signals: false) }
            #expect(other?.code == .listen)
            try await taken.close()
        }
    }

    @Test("A changed file is taken over; a broken one is refused and the last good one stays")
    func reload() async throws {
        try await withFolder { folder in
            let path = "\(folder)/g.yaml"
            let written = Written()
            try writeFile("hold_timeout: 3\n", to: path)
            let server = try await openGateway(["--config", path, "--database-path", "\(folder)/n.db"], written)
            let parts = server.parts
            #expect(parts.routes.current.default.holdTimeout.value == .seconds(3))

            try writeFile("hold_timeout: 4\nlog_level: notice\nmax_attempts: 5\nroutes: [{path: /a}]\n", to: path)
            await server.tick()
            #expect(parts.routes.current.default.holdTimeout.value == .seconds(4))
            #expect(parts.routes.current.routes.map(\.id) == ["default", "* /a"])
            server.flushLogs()
            #expect(written.lines.contains { $0.contains("changed settings that need a restart keys=max_attempts") })

            // Still waiting for the same restart: not told again.
            try writeFile("hold_timeout: 4\nmax_attempts: 5\nroutes: [{path: /a}, {path: /b}]\n", to: path)
            await server.tick()
            #expect(parts.routes.current.routes.count == 3)
            server.flushLogs()
            #expect(written.lines.count { $0.contains("need a restart") } == 1)

            try writeFile("hold_timeout: soon\n", to: path)
            await server.tick()
            #expect(parts.routes.current.default.holdTimeout.value == .seconds(4))
            server.flushLogs()
            let refusals = written.lines.count { $0.contains("the last good one stays") && $0.contains("soon") }
            #expect(refusals == 1)
            // It is told once, not once a second.
            await server.tick()
            server.flushLogs()
            #expect(written.lines.count { $0.contains("the last good one stays") } == 1)

            // Asked for, it is read although nothing changed.
            await server.reload()
            server.flushLogs()
            #expect(written.lines.count { $0.contains("the last good one stays") } == 2)
            await server.close()
        }
    }

    @Test("A changed document makes the routes anew, and an operator's hold timeout stays")
    func document() async throws {
        try await withFolder { folder in
            let path = "\(folder)/api.yaml"
            func text(_ route: String) -> String { "openapi: 3.1.0\npaths: {\(route): {get: {}}}\n" }
            try writeFile(text("/one"), to: path)
            let server = try await openGateway(
                ["--openapi-spec-path", path, "--database-path", "\(folder)/n.db"],
                Written()
            )
            let parts = server.parts
            #expect(parts.routes.current.routes.map(\.id) == ["default", "GET /one"])
            try await parts.queue.settings.apply(
                [.holdTimeout(.seconds(7), route: "GET /two/three"), .pause(route: "GET /two/three")],
                by: ChangeAuthor(name: "none", client: "")
            )
            try writeFile(text("/two/three"), to: path)
            await server.tick()
            let route = try #require(parts.routes.current.routes.last)
            #expect(route.id == "GET /two/three")
            let routes = await parts.dispatcher.queueSnapshot().routes
            #expect(routes.filter(\.isPaused).map(\.id) == [route.id])
            await server.close()
        }
    }
}
