import Core
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle
import Testing

@testable import Ingress
@testable import Queue

@Suite("The listener's life, from readiness to its drain", .timeLimit(.minutes(1)))
struct DrainTests {
    @Test("/ready tells how far the start is, and what troubles it at 200")
    func ready() async throws {
        let parts = try IngressParts()
        try await withServer(parts) { _, port in
            let client = try await RawClient(port)
            func ready() async throws -> RawClient.Answer {
                try await client.send("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
                return await client.answer()
            }
            #expect(try await ready().status == 503)
            parts.health.databaseOpened()
            #expect(try await ready().status == 503)
            parts.health.discoveryWasTried()
            parts.health.report("no pod answers", about: "pods")
            let answer = try await ready()
            #expect(answer.status == 200)
            #expect(
                answer.body == """
                    {"status":"ready","database_open":true,"discovery_tried":true,"problems":{"pods":"no pod answers"}}

                    """
            )
        }
    }

    @Test("A shutdown first unready, then refuses, answers what it took, and then closes all")
    func drain() async throws {
        let parts = try IngressParts()
        parts.health.databaseOpened()
        parts.health.discoveryWasTried()
        try await withServer(parts) { server, port in
            let waiting = try await RawClient(port)
            try await waiting.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            let slow = await parts.intake.next()
            let idle = try await RawClient(port)

            server.beginDrain()
            let late = try await RawClient(port)
            try await late.send("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
            let unready = await late.answer()
            #expect(unready.status == 503)
            #expect(unready.field("connection") == "close")
            let taken = try await RawClient(port)
            try await taken.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
            await parts.intake.next().answer(200, [], "still")
            let still = await taken.answer()
            #expect(still.body == "still")
            #expect(still.field("connection") == "close")
            // Its connection lingers, which nobody waits for.
            #expect(await taken.rest() == "")

            server.refuseRequests()
            let refused = try await RawClient(port)
            try await refused.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = await refused.answer()
            #expect(answer.status == 503)
            #expect(answer.field("neutrino-reason") == "draining")
            #expect(answer.field("retry-after") == "1")

            #expect(await server.untilAnswered(within: .milliseconds(1)) == false)
            async let quiet = server.untilAnswered(within: .seconds(30))
            slow.answer(200, [], "done")
            #expect(await waiting.answer().body == "done")
            #expect(await quiet)
            await server.closeListener()
            await server.closeConnections()
            #expect(await idle.rest() == "")
        }
    }

    @Test("run() drains at a graceful shutdown, and refuses through the hook what still waits at the end of its time")
    func gracefulShutdown() async throws {
        var parts = try IngressParts()
        parts.configuration.drainTimeout = .milliseconds(20)
        let intake = parts.intake
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let held = NIOLockedValueBox<FakeCall?>(nil)
        let server = parts.server(group) {
            held.withLockedValue { $0 }?.act { $0.refuse(Refusal(reason: .draining, detail: "over", retryAfter: 2)) }
        }
        let port = try await server.start().port!
        let services = ServiceGroup(services: [server], logger: parts.logger)
        async let ended: Void = services.run()
        let client = try await RawClient(port)
        try await client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        let call = await intake.next()
        held.withLockedValue { $0 = call }
        await services.triggerGracefulShutdown()
        let answer = await client.answer()
        #expect(answer.status == 503)
        #expect(answer.field("retry-after") == "2")
        try await ended
        #expect(await client.rest() == "")
        #expect(server.connections == 0)
        try await group.shutdownGracefully()
        parts.remove()
    }

    @Test("At the end of a drain uploads are answered, and what pods have ends as the gateway's end")
    func drainEnds() async throws {
        let lines = Watched<[String]>([])
        var parts = try IngressParts()
        parts.configuration.drainTimeout = .milliseconds(20)
        parts.configuration.sendingAfterDrain = .milliseconds(20)
        parts.logger = Logger(label: "test") { _ in LineHandler(lines: lines) }
        try await withServer(parts) { server, port in
            let upload = try await RawClient(port)
            try await upload.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\nExpect: 100-continue\r\n\r\n")
            _ = await upload.text(through: "\r\n\r\n")
            let stream = try await RawClient(port)
            try await stream.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            let streaming = await parts.intake.next()
            streaming.begin(200, [], .chunked)
            streaming.body("event")
            _ = await stream.text(through: "event\r\n")
            let untouched = try await RawClient(port)
            try await untouched.send("GET /c HTTP/1.1\r\nHost: a\r\n\r\n")
            let calling = await parts.intake.next()

            await server.drain()
            let answer = await upload.answer()
            #expect(answer.status == 503)
            #expect(answer.field("neutrino-reason") == "draining")
            #expect(answer.field("retry-after") == "1")
            #expect(answer.field("connection") == "close")
            #expect(parts.journal.rejections.now.map(\.reason) == [.draining])
            #expect(streaming.events.now == [.gatewayEnded])
            #expect(calling.events.now == [.gatewayEnded])
            #expect(await stream.rest() == "")
            #expect(lines.now.contains { $0.contains("answers were cut") && $0.contains("count=2") })
        }
        #expect(parts.budget.used == 0)
    }

    @Test("run() fails where the listener is closed under it")
    func listenerLost() async throws {
        let parts = try IngressParts()
        try await withServer(parts) { server, _ in
            let run = Task { try await server.run() }
            await server.closeListener()
            await #expect(throws: IngressError.self) { try await run.value }
        }
    }
}
