import Load
import NIOCore
import Synchronization
import Testing

@Suite("Modes count what their clients would see")
struct ModeTests {
    private static let kind = RequestKind(method: "GET", path: "/", bodyBytes: 0)

    @Test("an open loop charges a stall to every request that it held up, though one connection carries them all")
    func openLoopHasNoCoordinatedOmission() async throws {
        let summary = try await SmallServer.run(.stallsUntil(.now() + .milliseconds(300))) { target in
            var mode = OpenLoop()
            mode.rate = 500
            mode.seconds = 0.4
            mode.warmup = 0
            mode.maxConnections = 1
            return try await mode.run(target: target, mix: RequestMix(kinds: [Self.kind], target: target))
        }
        #expect(summary.requests == 200)
        #expect(summary.errors.isEmpty)
        // About 145 were due in the 290 ms that the stall lasted from the first on.
        #expect(summary.over20ms > 100)
        #expect(try #require(summary.latency).max > 200)
        #expect(summary.counts["connections_opened"] == 1)
    }

    @Test("a closed loop goes on over connections that the server closes")
    func saturationReopens() async throws {
        let summary = try await SmallServer.run(.closes) { target in
            var mode = Saturation()
            mode.connections = 2
            mode.seconds = 0.2
            mode.warmup = 0
            mode.threads = 1
            return try await mode.run(target: target, mix: RequestMix(kinds: [Self.kind], target: target))
        }
        #expect(summary.requests > 10)
        #expect(summary.errors.isEmpty)
    }

    @Test("each mixed request has an id of its own and one record")
    func mixedRecordsEach() async throws {
        let records = Records()
        let summary = try await SmallServer.run(.after(.milliseconds(1))) { target in
            var mode = MixedLoad()
            mode.requests = 50
            mode.clients = 8
            let mix = RequestMix(kinds: [Self.kind], target: target)
            return try await mode.run(target: target, mix: mix) { records.append($0) }
        }
        #expect(summary.requests == 50)
        #expect(Set(records.all.map(\.id)).count == 50)
        #expect(records.all.allSatisfy { $0.status == 200 && $0.body == "ok" && $0.error == nil })
    }

    @Test("what cannot be reached is an error for each request, and the run ends")
    func mixedEndsWithoutServer() async throws {
        let target = try await SmallServer.run(.closes) { $0 }
        var mode = MixedLoad()
        mode.requests = 10
        mode.clients = 2
        mode.seconds = 0.1
        let summary = try await mode.run(target: target, mix: RequestMix(kinds: [Self.kind], target: target)) { _ in }
        #expect(summary.requests == 0)
        #expect(summary.errors.values.reduce(0, +) >= 2)
    }

    @Test("held requests are measured against when they are expected")
    func holdingMeasuresLateness() async throws {
        let summary = try await SmallServer.run(.after(.milliseconds(100))) { target in
            var mode = Holding()
            mode.count = 100
            mode.expectAfter = 0.05
            let mix = RequestMix(kinds: [Self.kind], target: target)
            return try await mode.run(target: target, mix: mix) { sent in #expect(sent == 100) }
        }
        #expect(summary.requests == 100)
        let late = try #require(summary.more["late"])
        #expect(late.p50 >= 49 && summary.more["early"] == nil)
    }
}

private final class Records: Sendable {
    private let box = Mutex<[AnswerRecord]>([])

    var all: [AnswerRecord] { box.withLock { $0 } }

    func append(_ record: AnswerRecord) { box.withLock { $0.append(record) } }
}
