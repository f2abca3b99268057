import NIOConcurrencyHelpers
import Testing

@testable import Discovery

@Suite("Where and how a name is looked up")
struct DNSResolverTests {
    @Test("resolv.conf is read as the C library does")
    func settings() {
        let settings = ResolverSettings(
            "# comment\nnameserver 10.0.0.1 ; here\nnameserver 10.0.0.2\nnameserver fd00::1\nnameserver 10.0.0.4\nsearch a.test b.test.\noptions ndots:2 timeout:3 rotate attempts:9\n"
        )
        #expect(settings.servers.map(\.host) == ["10.0.0.1", "10.0.0.2", "fd00::1"])
        #expect(settings.dots == 2 && settings.timeout == 3 && settings.attempts == 5)
        #expect(settings.candidates(for: "x") == ["x.a.test", "x.b.test", "x"])
        #expect(settings.candidates(for: "x.y.z") == ["x.y.z", "x.y.z.a.test", "x.y.z.b.test"])
        #expect(settings.candidates(for: "x.") == ["x"])
        #expect(ResolverSettings("").servers == [ResolverSettings.Server(host: "127.0.0.1")])
    }

    @Test("the domains to search are tried in the order of resolv.conf")
    func search() async throws {
        let server = try await NameServer()
        server.set("pods.ml.svc.cluster.local", ["10.0.0.1"])
        let text = "search ml.svc.cluster.local svc.cluster.local\noptions ndots:5\n"
        #expect(try await DNSResolver.asking([server], text).look(up: "pods", [.address]).records.count == 1)
        #expect(try await DNSResolver.asking([server], text).look(up: "pods.ml", [.address]).records.count == 1)
        #expect(try await DNSResolver.asking([server], text).look(up: "pods.", [.address]).records.isEmpty)
        try await server.stop()
    }

    @Test("each name of the search list is asked for both families, and the first that has either is it")
    func searchOfBothFamilies() async throws {
        let server = try await NameServer()
        server.set("pods.a.test", ["2001:db8::1"])
        server.set("pods.b.test", ["10.0.0.1"])
        let resolver = DNSResolver.asking([server], "search a.test b.test")
        let result = try await resolver.look(up: "pods", [.address, .address6])
        #expect(result.records.map(\.content) == [.address("2001:db8::1")])
        #expect(server.state.withLockedValue(\.asked.last?.name) == "pods.a.test")
        try await server.stop()
    }

    @Test("a name of the search list for which servers fail hides none after it, and is told where none is there")
    func searchPastFailure() async throws {
        let server = try await NameServer()
        let text = "search a.test b.test\noptions attempts:1"
        server.set("pods.b.test", ["10.0.0.1"])
        server.state.withLockedValue { $0.codes[NameServer.Question(name: "pods.a.test", type: 1)] = 2 }
        let result = try await DNSResolver.asking([server], text).look(up: "pods", [.address])
        #expect(result.records.map(\.content) == [.address("10.0.0.1")])
        server.set("pods.b.test", [])
        let error = await #expect(throws: DiscoveryError.self) {
            try await DNSResolver.asking([server], text).look(up: "pods", [.address])
        }
        #expect(error?.code == .refused && error?.message.contains("\"pods.a.test\"") == true)
        try await server.stop()
    }

    @Test(
        "a server that fails, refuses or is silent leaves it to the next; where all fail, it is no answer",
        arguments: [2, 5, nil] as [UInt16?]
    )
    func servers(code: UInt16?) async throws {
        let (bad, good) = (try await NameServer(), try await NameServer())
        bad.state.withLockedValue { state in
            state.code = code
            state.isSilent = code == nil
        }
        good.set("pods.test", ["10.0.0.1"])
        let text = "options timeout:1 attempts:1"
        #expect(try await DNSResolver.asking([bad, good], text).look(up: "pods.test.", [.address]).records.count == 1)
        let error = await #expect(throws: DiscoveryError.self) {
            try await DNSResolver.asking([bad], text).look(up: "pods.test.", [.address])
        }
        #expect(error?.code == (code == nil ? .unreachable : .refused))
        try await bad.stop()
        try await good.stop()
    }

    @Test("a name server that does not answer, and one where nobody listens, are told by address and port")
    func told() async throws {
        let server = try await NameServer()
        server.state.withLockedValue { $0.isSilent = true }
        func message() async -> String? {
            await #expect(throws: DiscoveryError.self) {
                try await DNSResolver.asking([server], "options timeout:1 attempts:1").look(
                    up: "pods.test.",
                    [.address]
                )
            }?
            .message
        }
        #expect(await message() == "the name server 127.0.0.1:\(server.port) does not answer")
        try await server.stop()
        #expect(await message() == "the name server 127.0.0.1:\(server.port) cannot be asked: Connection refused")
        #expect("\(ResolverSettings.Server(host: "::1", port: 54))" == "[::1]:54")
        #expect("\(ResolverSettings.Server(host: "::1"))" == "::1")
    }

    @Test("aliases are followed, in one answer or over several questions, and the shortest lifetime holds")
    func aliases() async throws {
        let server = try await NameServer()
        server.set("www.test", type: 1, aliasOf: "lb.test", lifetime: 3)
        server.set("lb.test", ["10.0.0.1"], lifetime: 60)
        let result = try await DNSResolver.asking([server]).look(up: "www.test.", [.address])
        #expect(result.records.map(\.content) == [.address("10.0.0.1")] && result.lifetime == 3)
        server.state.withLockedValue { $0.additional = [("lb.test", 1, [10, 0, 0, 9])] }
        let added = try await DNSResolver.asking([server]).look(up: "www.test.", [.address])
        #expect(added.records.map(\.content) == [.address("10.0.0.9")])
        server.state.withLockedValue { $0.additional = [] }
        server.set("a.test", type: 1, aliasOf: "b.test")
        server.set("b.test", type: 1, aliasOf: "a.test")
        await #expect(throws: DiscoveryError.self) {
            try await DNSResolver.asking([server]).look(up: "a.test.", [.address])
        }
        try await server.stop()
    }
}
