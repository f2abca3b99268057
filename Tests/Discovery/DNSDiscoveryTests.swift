import Core
import NIOConcurrencyHelpers
import NIOPosix
import Testing

@testable import Discovery

@Suite("Pods by the addresses of a name")
struct DNSDiscoveryTests {
    @Test(
        "addresses of one family, each a pod with the configured port and scheme",
        arguments: [
            (["10.0.0.1", "10.0.0.2", "2001:db8::1"], .auto, ["10.0.0.1:8080", "10.0.0.2:8080"]),
            (["2001:db8::1"], .auto, ["[2001:db8::1]:8080"]),
            (["10.0.0.1", "2001:db8::1"], .ipv6, ["[2001:db8::1]:8080"]),
            (["10.0.0.1", "2001:db8::1"], .ipv4, ["10.0.0.1:8080"]),
            (["2001:db8::1"], .ipv4, []),
        ] as [([String], DNSConfiguration.Family, [String])]
    )
    func addresses(hosts: [String], family: DNSConfiguration.Family, expected: [String]) async throws {
        let world = try await NameWorld(hosts) { configuration in
            (configuration.scheme, configuration.family) = (.https, family)
        }
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.pods.map(\.url) == expected.map { "https://\($0)" })
        _ = await updates.end()
        try await world.stop()
    }

    private static func answering(_ code: UInt16, _ types: UInt16...) -> (inout NameServer.State) -> Void {
        { state in for type in types { state.codes[NameServer.Question(name: "pods.test", type: type)] = code } }
    }

    @Test("a family that cannot be asked for keeps its pods, and they do not become others of the other family")
    func family() async throws {
        let world = try await NameWorld(["10.0.0.1", "2001:db8::1"])
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.pods.map(\.host) == ["10.0.0.1"])
        world.server.state.withLockedValue(Self.answering(2, 1))
        world.clock.goOn()
        let failed = await updates.next()
        #expect(failed?.pods.map(\.host) == ["10.0.0.1"])
        #expect(failed?.problem?.contains("answered SERVFAIL") == true)
        world.server.state.withLockedValue(Self.answering(0, 1))
        world.set(["2001:db8::1"])
        let update = await updates.next()
        #expect(update?.pods.map(\.host) == ["2001:db8::1"] && update?.problem == nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a server that fails for one family from the beginning does not hide the other: no trouble to tell of")
    func halfServer() async throws {
        let world = try await NameWorld(["2001:db8::1"])
        world.server.state.withLockedValue(Self.answering(2, 1))
        let updates = Updates(of: world.discovery)
        let update = await updates.next()
        #expect(update?.pods.map(\.host) == ["2001:db8::1"] && update?.problem == nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test(
        "looked up again when the records' time is over, within bounds",
        arguments: [(0, 1), (4, 4), (600, 10)] as [(UInt32, Int)]
    )
    func lifetime(lifetime: UInt32, pause: Int) async throws {
        let world = try await NameWorld()
        world.server.set("pods.test", ["10.0.0.1"], lifetime: lifetime)
        let updates = Updates(of: world.discovery)
        _ = await updates.next()
        var pauses = world.clock.pauses.makeAsyncIterator()
        #expect(await pauses.next() == .seconds(pause))
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a name that is gone keeps its pods for a while and no longer, and is told at once")
    func gone() async throws {
        let world = try await NameWorld(["10.0.0.1"])
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.problem == nil)
        var pauses = world.clock.pauses.makeAsyncIterator()
        _ = await pauses.next()
        world.server.state.withLockedValue { $0.records = [:] }
        for second in 0..<10 {
            world.clock.goOn()
            if second == 0 {
                let told = await updates.next()
                #expect(told?.pods.count == 1)
                #expect(told?.problem?.hasPrefix("\"pods.test.\" has no addresses") == true)
            }
            #expect(await pauses.next() == .seconds(1))
        }
        world.clock.goOn()
        #expect(await updates.next()?.pods.isEmpty == true)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("who looks once is told what is wrong, too")
    func once() async throws {
        let world = try await NameWorld()
        let discovery = DNSDiscovery(
            configuration: world.configuration,
            group: MultiThreadedEventLoopGroup.singleton
        )
        let update = try await discovery.lookOnce()
        #expect(update.pods.isEmpty && update.problem?.contains("has no addresses: there is no such name") == true)
        try await world.stop()
    }
}
