import Core
import NIOConcurrencyHelpers
import Testing

@testable import Discovery

@Suite("What comes of a question on the wire")
struct DNSClientTests {
    @Test("an answer that does not fit in a datagram is fetched over TCP")
    func truncated() async throws {
        let hosts = (0..<100).map { "10.0.1.\($0)" }
        let world = try await NameWorld(hosts)
        world.server.state.withLockedValue { $0.truncates = true }
        let updates = Updates(of: world.discovery)
        #expect(Set(await updates.next()?.pods.map(\.host) ?? []) == Set(hosts))
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a datagram that is longer than what was asked for is taken whole")
    func longDatagram() async throws {
        let hosts = (0..<3_000).map { "10.0.\($0 / 250).\($0 % 250)" }
        let world = try await NameWorld(hosts)
        let updates = Updates(of: world.discovery)
        #expect(Set(await updates.next()?.pods.map(\.host) ?? []) == Set(hosts))
        #expect(world.server.state.withLockedValue(\.streams) == 0)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("an answer that was cut on its way, without a word of it, is fetched over TCP")
    func cutDatagram() async throws {
        let world = try await NameWorld(["10.0.0.1", "10.0.0.2"])
        world.server.state.withLockedValue { $0.datagramBytes = 50 }
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.pods.map(\.host) == ["10.0.0.1", "10.0.0.2"])
        #expect(world.server.state.withLockedValue(\.streams) > 0)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("an answer that does not fit over TCP either is none, rather than no addresses")
    func truncatedAlways() async throws {
        let server = try await NameServer()
        server.set("pods.test", ["10.0.0.1"])
        server.state.withLockedValue { ($0.truncates, $0.truncatesAlways) = (true, true) }
        let error = await #expect(throws: DiscoveryError.self) {
            try await DNSResolver.asking([server], "options attempts:1").look(up: "pods.test.", [.address])
        }
        #expect(error?.code == .invalidAnswer && error?.message.contains("cuts its answer short") == true)
        try await server.stop()
    }

    @Test("a server from before EDNS is asked again without it")
    func oldServer() async throws {
        let server = try await NameServer()
        server.set("pods.test", ["10.0.0.1"])
        server.state.withLockedValue { $0.isOld = true }
        let result = try await DNSResolver.asking([server], "options attempts:1").look(up: "pods.test.", [.address])
        #expect(result.records.map(\.content) == [.address("10.0.0.1")])
        #expect(server.state.withLockedValue(\.asked.count) == 2)
        try await server.stop()
    }

    @Test("what was forged or is broken is passed over while the answer is waited for")
    func forged() async throws {
        for forged in [[], [1, 2, 3], [UInt8](repeating: 0xC0, count: 200)] as [[UInt8]] {
            let world = try await NameWorld(["10.0.0.1"])
            world.server.state.withLockedValue { $0.forged = forged }
            let updates = Updates(of: world.discovery)
            #expect(await updates.next()?.pods.map(\.host) == ["10.0.0.1"])
            _ = await updates.end()
            try await world.stop()
        }
    }
}
