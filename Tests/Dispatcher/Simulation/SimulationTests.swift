import Foundation
import Testing

@testable import Dispatcher

/// Thousands of random events against a model world that refuses what must not happen. `NEUTRINO_SIM_SEEDS` says how many worlds
/// (default 6), `NEUTRINO_SIM_FIRST_SEED` which is the first, `NEUTRINO_SIM_EVENTS` how many events each (default 2,000).
@Suite struct SimulationTests {
    private static func setting(_ name: String, _ fallback: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } ?? fallback
    }

    static let seeds: [UInt64] = {
        let first = setting("NEUTRINO_SIM_FIRST_SEED", 1)
        return Array(first..<first + setting("NEUTRINO_SIM_SEEDS", 6))
    }()

    @Test(arguments: seeds)
    func nothingImpossibleHappens(seed: UInt64) throws {
        var world = ModelWorld(seed: seed)
        do {
            try world.run(events: Int(Self.setting("NEUTRINO_SIM_EVENTS", 2_000)))
        } catch {
            Issue.record("seed \(seed), at \(world.time - ModelWorld.start) µs: \(error)")
        }
        // A world in which nothing ever happens proves nothing.
        #expect(world.endings["answered", default: 0] > 0, "seed \(seed): \(world.endings)")
    }
}
