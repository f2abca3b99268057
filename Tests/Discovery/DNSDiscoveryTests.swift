import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import Discovery

@Suite("Pods by name")
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

    @Test("services: a target with addresses of both families is one pod, two targets of one address are one")
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

    @Test("services: a target that cannot be resolved keeps its pods, is told, and holds up no other")
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

    @Test("services: a target whose name is gone is told, and keeps its pods for a while and no longer")
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

    @Test("services: a record without a port is told, and the others are used")
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

    @Test("services: their ports, and addresses that came with them or are asked for")
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

    @Test("a name server that does not answer, and one where nobody listens, are told by address and port")
    func told() async throws {
        let server = try await NameServer()
        server.state.withLockedValue { $0.isSilent = true }
        func message() async -> String? {
            await #expect(throws: DiscoveryError.self) {
                try await Self.resolver([server], "options timeout:1 attempts:1").look(up: "pods.test.", [.address])
            }?
            .message
        }
        #expect(await message() == "the name server 127.0.0.1:\(server.port) does not answer")
        try await server.stop()
        #expect(await message() == "the name server 127.0.0.1:\(server.port) cannot be asked: Connection refused")
        #expect("\(ResolverSettings.Server(host: "::1", port: 54))" == "[::1]:54")
        #expect("\(ResolverSettings.Server(host: "::1"))" == "::1")
    }

    @Test("an answer that does not fit over TCP either is none, rather than no addresses")
    func truncatedAlways() async throws {
        let server = try await NameServer()
        server.set("pods.test", ["10.0.0.1"])
        server.state.withLockedValue { ($0.truncates, $0.truncatesAlways) = (true, true) }
        let error = await #expect(throws: DiscoveryError.self) {
            try await Self.resolver([server], "options attempts:1").look(up: "pods.test.", [.address])
        }
        #expect(error?.code == .invalidAnswer && error?.message.contains("cuts its answer short") == true)
        try await server.stop()
    }

    @Test("a server from before EDNS is asked again without it")
    func oldServer() async throws {
        let server = try await NameServer()
        server.set("pods.test", ["10.0.0.1"])
        server.state.withLockedValue { $0.isOld = true }
        let result = try await Self.resolver([server], "options attempts:1").look(up: "pods.test.", [.address])
        #expect(Self.addresses(result) == [.address("10.0.0.1")])
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

    private static func resolver(_ servers: [NameServer], _ text: String = "") -> DNSResolver {
        DNSResolver(client: DNSClient(group: MultiThreadedEventLoopGroup.singleton)) {
            var settings = ResolverSettings(text)
            settings.servers = servers.map { ResolverSettings.Server(host: "127.0.0.1", port: $0.port) }
            return settings
        }
    }

    private static func addresses(_ result: DNSResolver.Result) -> [DNSMessage.Content] {
        result.records.map(\.content)
    }

    @Test("aliases are followed, in one answer or over several questions, and the shortest lifetime holds")
    func aliases() async throws {
        let server = try await NameServer()
        server.set("www.test", type: 1, aliasOf: "lb.test", lifetime: 3)
        server.set("lb.test", ["10.0.0.1"], lifetime: 60)
        let result = try await Self.resolver([server]).look(up: "www.test.", [.address])
        #expect(Self.addresses(result) == [.address("10.0.0.1")] && result.lifetime == 3)
        server.state.withLockedValue { $0.additional = [("lb.test", 1, [10, 0, 0, 9])] }
        #expect(
            Self.addresses(try await Self.resolver([server]).look(up: "www.test.", [.address])) == [
                .address("10.0.0.9")
            ]
        )
        server.state.withLockedValue { $0.additional = [] }
        server.set("a.test", type: 1, aliasOf: "b.test")
        server.set("b.test", type: 1, aliasOf: "a.test")
        await #expect(throws: DiscoveryError.self) { try await Self.resolver([server]).look(up: "a.test.", [.address]) }
        try await server.stop()
    }

    @Test("the domains to search are tried in the order of resolv.conf")
    func search() async throws {
        let server = try await NameServer()
        server.set("pods.ml.svc.cluster.local", ["10.0.0.1"])
        let text = "search ml.svc.cluster.local svc.cluster.local\noptions ndots:5\n"
        #expect(try await Self.resolver([server], text).look(up: "pods", [.address]).records.count == 1)
        #expect(try await Self.resolver([server], text).look(up: "pods.ml", [.address]).records.count == 1)
        #expect(try await Self.resolver([server], text).look(up: "pods.", [.address]).records.isEmpty)
        try await server.stop()
    }

    @Test("each name of the search list is asked for both families, and the first that has either is it")
    func searchOfBothFamilies() async throws {
        let server = try await NameServer()
        server.set("pods.a.test", ["2001:db8::1"])
        server.set("pods.b.test", ["10.0.0.1"])
        let resolver = Self.resolver([server], "search a.test b.test")
        let result = try await resolver.look(up: "pods", [.address, .address6])
        #expect(Self.addresses(result) == [.address("2001:db8::1")])
        #expect(server.state.withLockedValue(\.asked.last?.name) == "pods.a.test")
        try await server.stop()
    }

    @Test("a name of the search list for which servers fail hides none after it, and is told where none is there")
    func searchPastFailure() async throws {
        let server = try await NameServer()
        let text = "search a.test b.test\noptions attempts:1"
        server.set("pods.b.test", ["10.0.0.1"])
        server.state.withLockedValue { $0.codes[NameServer.Question(name: "pods.a.test", type: 1)] = 2 }
        let result = try await Self.resolver([server], text).look(up: "pods", [.address])
        #expect(Self.addresses(result) == [.address("10.0.0.1")])
        server.set("pods.b.test", [])
        let error = await #expect(throws: DiscoveryError.self) {
            try await Self.resolver([server], text).look(up: "pods", [.address])
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
        #expect(try await Self.resolver([bad, good], text).look(up: "pods.test.", [.address]).records.count == 1)
        let error = await #expect(throws: DiscoveryError.self) {
            try await Self.resolver([bad], text).look(up: "pods.test.", [.address])
        }
        #expect(error?.code == (code == nil ? .unreachable : .refused))
        try await bad.stop()
        try await good.stop()
    }

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

    /// Numbers that are the same at every run, so that a message that breaks the reader breaks it again.
    private struct Lehmer: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            // Knuth's MMIX constants; the high half of two steps, since the low bits of one are poor.
            func step() -> UInt64 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return state >> 32
            }
            return step() << 32 | step()
        }
    }

    @Test("no message, however broken, is more than refused")
    func brokenMessages() throws {
        let question = try #require(DNSMessage.question("pods.test", .address, id: 7))
        var good = ByteBuffer()
        good.writeMultipleIntegers(UInt16(7), UInt16(0x8180), UInt16(1), UInt16(1), UInt16(0), UInt16(0))
        good.writeImmutableBuffer(question.getSlice(at: 12, length: question.readableBytes - 12)!)
        good.writeMultipleIntegers(UInt16(0xC00C), UInt16(1), UInt16(1), UInt32(5), UInt16(4))
        good.writeBytes([10, 0, 0, 1])
        let record = DNSMessage.Record(name: "pods.test", lifetime: 5, content: .address("10.0.0.1"))
        #expect(DNSMessage.answer(good, to: question)?.records == [record])
        let bytes = Array(good.readableBytesView)
        // From the end of the question on it is the answer, and broken.
        let broken = DNSMessage.Answer(isTruncated: false, isBroken: true, code: 0, records: [])
        for count in 0..<bytes.count {
            let answer = DNSMessage.answer(ByteBuffer(bytes: bytes[..<count]), to: question)
            #expect(answer == (count < question.readableBytes ? nil : broken))
        }
        var generator = Lehmer(state: 1035)
        for _ in 0..<20_000 {
            var spoiled = bytes
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                spoiled[Int.random(in: 0..<spoiled.count, using: &generator)] = UInt8.random(
                    in: 0...255,
                    using: &generator
                )
            }
            _ = DNSMessage.answer(ByteBuffer(bytes: spoiled), to: question)
        }
        // A name that points to itself, and one that points ahead.
        for pointer in [[0xC0, 0x1B], [0xC0, 0x40]] as [[UInt8]] {
            var circular = Array(bytes[..<27])
            circular += pointer + bytes[29...]
            #expect(DNSMessage.answer(ByteBuffer(bytes: circular), to: question) == broken)
        }
        // A label with a pointer to itself behind it: it points backwards, and never ends by that alone.
        let circular = Array(bytes[..<12]) + [1, 97, 0xC0, 0x0C] + bytes[24...]
        #expect(DNSMessage.answer(ByteBuffer(bytes: circular), to: question) == nil)
        // Someone else's answer: another id, another name.
        var other = bytes
        other[1] = 8
        #expect(DNSMessage.answer(ByteBuffer(bytes: other), to: question) == nil)
        let elsewhere = try #require(DNSMessage.question("pods.tesu", .address, id: 7))
        #expect(DNSMessage.answer(good, to: elsewhere) == nil)
        #expect(DNSMessage.question("a..b", .address, id: 1) == nil)
        #expect(DNSMessage.question(String(repeating: "a", count: 64), .address, id: 1) == nil)
    }
}
