import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Telemetry
import Testing

@Suite("What is told of the process")
struct ProcessTests {
    private func figures() async -> [String: Double] {
        var figures: [String: Double] = [:]
        for family in await ProcessCollector().collect() {
            guard case .number(let value) = family.series[0].value else { continue }
            figures[family.name] = value
        }
        return figures
    }

    @Test("memory, CPU time, start and descriptors are this process's")
    func plausible() async throws {
        let first = await figures()
        let resident = try #require(first["process_resident_memory_bytes"])
        #expect(resident > 1_000_000)
        #expect(try #require(first["process_virtual_memory_bytes"]) > resident)
        let started = try #require(first["process_start_time_seconds"])
        let age = Date.now.timeIntervalSince1970 - started
        #expect(age > -1 && age < 86_400)
        let before = try #require(first["process_cpu_seconds_total"])
        // Uses some.
        var hash = 0
        while await figures()["process_cpu_seconds_total"] == before { hash &+= hash.hashValue &+ 1 }
        #expect(try #require(first["process_max_fds"]) > 10)
    }

    @Test("open descriptors are counted")
    func descriptors() async throws {
        // Other tests of this process open and close some meanwhile: many are needed to see one's own.
        let before = try #require(await figures()["process_open_fds"])
        let files = (0..<200).compactMap { _ in FileHandle(forReadingAtPath: "/dev/null") }
        let after = try #require(await figures()["process_open_fds"])
        #expect(after - before > 100)
        for file in files { try file.close() }
    }

    @Test("an event loop's lag is how late its timer ran")
    func lag() async throws {
        let registry = MetricsRegistry()
        let now = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0))
        let lag = EventLoopLag(interval: .milliseconds(250), now: { now.withLockedValue { $0 } })
        let loop = EmbeddedEventLoop()
        lag.start(on: loop, registry: registry)
        loop.advanceTime(to: .uptimeNanoseconds(249_000_000))
        #expect(await sum(registry) == (0, 0))
        // It is 40 ms past its time when it runs.
        now.withLockedValue { $0 = .uptimeNanoseconds(290_000_000) }
        loop.advanceTime(to: .uptimeNanoseconds(250_000_000))
        #expect(await sum(registry) == (1, 0.04))
        // The next is due 250 ms after that.
        loop.advanceTime(to: .uptimeNanoseconds(539_000_000))
        #expect(await sum(registry).count == 1)
        now.withLockedValue { $0 = .uptimeNanoseconds(540_000_000) }
        loop.advanceTime(to: .uptimeNanoseconds(540_000_000))
        #expect(await sum(registry) == (2, 0.04))
        lag.stop()
        loop.advanceTime(by: .seconds(10))
        #expect(await sum(registry).count == 2)
    }

    private func sum(_ registry: MetricsRegistry) async -> (count: Int, seconds: Double) {
        guard case .histogram(let value) = await registry.families().first?.series.first?.value else { return (-1, 0) }
        return (value.counts.reduce(0, +), value.sum)
    }
}
