import Core
import NIOConcurrencyHelpers
import Testing

@testable import Discovery

@Suite("Pods by the services of a name")
struct DNSServicesTests {
    @Test("their ports, and addresses that came with them or are asked for")
    func services() async throws {
        let world = try await NameWorld(name: "_http._tcp.pods.test.") { $0.port = nil }
        world.server.set(
            services: [(8080, "a.pods.test"), (9090, "b.pods.test"), (1, ".")],
            at: "_http._tcp.pods.test"
        )
        world.server.set("b.pods.test", ["10.0.0.2"])
        world.server.state.withLockedValue { $0.additional = [("a.pods.test", 1, [10, 0, 0, 1])] }
        let updates = Updates(of: world.discovery)
        let update = await updates.next()
        #expect(update?.pods.map(\.url) == ["http://10.0.0.1:8080", "http://10.0.0.2:9090"])
        #expect(update?.pods.map(\.name) == ["a.pods.test", "b.pods.test"])
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a target with addresses of both families is one pod, two targets of one address are one")
    func dualStackServices() async throws {
        let world = try await NameWorld(name: "_http._tcp.pods.test.") { $0.port = nil }
        let name = "_http._tcp.pods.test"
        world.server.set(services: [(80, "a.test"), (80, "b.test"), (80, "c.test"), (80, "d.test")], at: name)
        world.server.set("b.test", ["10.0.0.2", "2001:db8::2"])
        world.server.set("c.test", ["10.0.0.2"])
        world.server.set("d.test", ["2001:db8::4"])
        let added = ["2001:db8::1", "10.0.0.1"].map { address in
            (
                name: "a.test", type: address.contains(":") ? 28 : 1 as UInt16,
                content: NameServer.encoded(address: address)
            )
        }
        world.server.state.withLockedValue { $0.additional = added }
        let updates = Updates(of: world.discovery)
        let pods = await updates.next()?.pods ?? []
        #expect(pods.map(\.host) == ["10.0.0.1", "10.0.0.2", "2001:db8::4"])
        #expect(pods.map(\.name) == ["a.test", "b.test", "d.test"])
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a record without a port is told, and the others are used")
    func portless() async throws {
        let world = try await NameWorld(name: "_http._tcp.pods.test.") { $0.port = nil }
        world.server.set(services: [(0, "a.test"), (80, "b.test")], at: "_http._tcp.pods.test")
        world.server.set("b.test", ["10.0.0.2"])
        let updates = Updates(of: world.discovery)
        let update = await updates.next()
        #expect(update?.pods.map(\.host) == ["10.0.0.2"])
        #expect(update?.problem?.hasSuffix("is not used: its record has the port 0") == true)
        // Beside a record that has one it is no news.
        world.server.set(services: [(0, "b.test"), (80, "b.test")], at: "_http._tcp.pods.test")
        world.clock.goOn()
        let used = await updates.next()
        #expect(used?.pods.map(\.host) == ["10.0.0.2"] && used?.problem == nil, "\(used?.problem ?? "")")
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a target that cannot be resolved keeps its pods, is told, and holds up no other")
    func targetInTrouble() async throws {
        let world = try await NameWorld(name: "_http._tcp.pods.test.") { $0.port = nil }
        let name = "_http._tcp.pods.test"
        world.server.set(services: [(80, "a.test"), (80, "b.test")], at: name)
        world.server.set("a.test", ["10.0.0.1"])
        world.server.set("b.test", ["10.0.0.2"])
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.pods.map(\.host) == ["10.0.0.1", "10.0.0.2"])
        world.server.state.withLockedValue { state in
            for type in [1, 28] as [UInt16] { state.codes[NameServer.Question(name: "a.test", type: type)] = 2 }
        }
        world.server.set("b.test", ["10.0.0.3"])
        world.clock.goOn()
        let partly = await updates.next()
        #expect(partly?.pods.map(\.host) == ["10.0.0.1", "10.0.0.3"])
        #expect(partly?.problem?.contains("answered SERVFAIL (it failed) for \"a.test\"") == true)
        world.server.set(services: [(80, "b.test")], at: name)
        world.clock.goOn()
        let update = await updates.next()
        #expect(update?.pods.map(\.host) == ["10.0.0.3"] && update?.problem == nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a target whose name is gone is told, and keeps its pods for a while and no longer")
    func targetGone() async throws {
        let world = try await NameWorld(name: "_http._tcp.pods.test.") { $0.port = nil }
        world.server.set(services: [(80, "a.test"), (80, "b.test")], at: "_http._tcp.pods.test")
        world.server.set("a.test", ["10.0.0.1"])
        world.server.set("b.test", ["10.0.0.2"])
        let updates = Updates(of: world.discovery)
        #expect(await updates.next()?.pods.map(\.host) == ["10.0.0.1", "10.0.0.2"])
        var pauses = world.clock.pauses.makeAsyncIterator()
        _ = await pauses.next()
        world.server.set("a.test", [])
        for second in 0..<10 {
            world.clock.goOn()
            if second == 0 {
                let told = await updates.next()
                #expect(told?.pods.map(\.host) == ["10.0.0.1", "10.0.0.2"])
                let problem =
                    "\"a.test\", a target of \"_http._tcp.pods.test.\", has no addresses: there is no such name"
                #expect(told?.problem?.hasPrefix(problem) == true, "\(told?.problem ?? "")")
            }
            #expect(await pauses.next() == .seconds(1))
        }
        world.clock.goOn()
        let dropped = await updates.next()
        #expect(dropped?.pods.map(\.host) == ["10.0.0.2"] && dropped?.problem != nil)
        // Nobody waits for it any more.
        #expect(await pauses.next() == .seconds(5))
        world.server.set("a.test", ["10.0.0.3"])
        world.clock.goOn()
        let back = await updates.next()
        #expect(back?.pods.map(\.host) == ["10.0.0.2", "10.0.0.3"] && back?.problem == nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("targets that are all gone keep their pods no longer than one")
    func targetsGone() {
        var memory = DNSMemory(patience: .seconds(10))
        let pods = ["a", "b"].map { PodDescription(host: $0, port: 80, name: $0) }
        #expect(memory.take(pods, name: "x") == (pods, nil))
        for (second, kept) in [(0, "ab"), (5, "ab"), (9, "ab"), (10, "b"), (14, "b"), (15, ""), (16, "")] {
            memory.time = .seconds(second)
            let (now, problem) = memory.take(
                second < 5 ? [pods[1]] : [],
                gone: second < 5 ? ["a"] : ["a", "b"],
                name: "x"
            )
            #expect(now.map(\.host).joined() == kept, "\(second)")
            #expect(problem?.contains(second < 5 ? "has no addresses:" : "nor have 1 more targets") == true)
            #expect(memory.isWaiting == !kept.isEmpty)
        }
    }
}
