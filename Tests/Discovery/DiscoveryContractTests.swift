import Core
import Testing

/// What the gateway relies on, whichever way pods are found.
@Suite("Every way of finding pods")
struct DiscoveryContractTests {
    private static func hosts(_ update: DiscoveryUpdate?) -> [String]? { update?.pods.map(\.host).sorted() }

    @Test(
        "tells all pods at once, and again when there is one more, one less or another",
        arguments: DiscoveryKind.allCases
    )
    func changes(kind: DiscoveryKind) async throws {
        let world = try await kind.world(["10.0.0.1", "10.0.0.2"])
        let updates = Updates(of: world.discovery)
        let first = await updates.next()
        #expect(Self.hosts(first) == ["10.0.0.1", "10.0.0.2"])
        #expect(first?.problem == nil && first?.skipped == [])
        #expect(first?.pods.allSatisfy { $0.port == 8080 && $0.scheme == .http && !$0.isDraining } == true)
        for hosts in [["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["10.0.0.3"], ["10.0.0.4"]] {
            try await world.set(hosts)
            let update = await updates.first { Self.hosts($0) == hosts }
            #expect(update?.problem == nil)
        }
        _ = await updates.end()
        try await world.stop()
    }

    @Test("a pod that stays is described alike each time", arguments: DiscoveryKind.allCases)
    func identity(kind: DiscoveryKind) async throws {
        let world = try await kind.world(["10.0.0.1"])
        let updates = Updates(of: world.discovery)
        let before = await updates.next()
        try await world.set(["10.0.0.1", "10.0.0.2"])
        let after = await updates.first { $0.pods.count == 2 }
        let stayed = try #require(before?.pods.first)
        #expect(after?.pods.contains(stayed) == true)
        _ = await updates.end()
        try await world.stop()
    }

    @Test(
        "keeps the last pods, and says what is wrong, while its source cannot be used",
        arguments: DiscoveryKind.allCases.filter(\.canFail)
    )
    func trouble(kind: DiscoveryKind) async throws {
        let world = try await kind.world(["10.0.0.1", "10.0.0.2"])
        let updates = Updates(of: world.discovery)
        _ = await updates.next()
        try await world.spoil()
        let spoiled = await updates.first { $0.problem != nil }
        #expect(Self.hosts(spoiled) == ["10.0.0.1", "10.0.0.2"])
        try await world.mend()
        let mended = await updates.first { $0.problem == nil }
        #expect(Self.hosts(mended) == ["10.0.0.1", "10.0.0.2"])
        try await world.set(["10.0.0.3"])
        #expect(await updates.first { Self.hosts($0) == ["10.0.0.3"] } != nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test(
        "says so where its source is in trouble from the beginning, and goes on",
        arguments: DiscoveryKind.allCases.filter(\.canFail)
    )
    func troubleAtFirst(kind: DiscoveryKind) async throws {
        let world = try await kind.world(["10.0.0.1"])
        try await world.spoil()
        let updates = Updates(of: world.discovery)
        let first = await updates.next()
        #expect(first?.pods.isEmpty == true)
        #expect(first?.problem?.isEmpty == false)
        try await world.mend()
        #expect(Self.hosts(await updates.first { $0.problem == nil }) == ["10.0.0.1"])
        _ = await updates.end()
        try await world.stop()
    }

    @Test("no pods at all is told in words", arguments: DiscoveryKind.allCases)
    func empty(kind: DiscoveryKind) async throws {
        let world = try await kind.world([])
        let updates = Updates(of: world.discovery)
        let first = await updates.next()
        #expect(first?.pods.isEmpty == true)
        #expect(first?.problem?.isEmpty == false)
        try await world.set(["10.0.0.1"])
        let second = await updates.first { !$0.pods.isEmpty }
        #expect(second?.problem == nil)
        _ = await updates.end()
        try await world.stop()
    }

    @Test("ends when its task is cancelled, not before, and can be run again", arguments: DiscoveryKind.allCases)
    func ending(kind: DiscoveryKind) async throws {
        let world = try await kind.world(["10.0.0.1"])
        for _ in 0..<2 {
            let updates = Updates(of: world.discovery)
            #expect(Self.hosts(await updates.next()) == ["10.0.0.1"])
            guard case .failure(let error) = await updates.end() else {
                Issue.record("it ended by itself")
                continue
            }
            #expect(error is CancellationError)
        }
        try await world.stop()
    }
}
