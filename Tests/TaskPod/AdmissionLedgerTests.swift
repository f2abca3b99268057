import Core
import NIOCore
import Testing

@testable import TaskPod

@Suite("Admission")
struct AdmissionLedgerTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)

    private func ledger(
        _ total: ResourceVector = ResourceVector(cpus: 4000, gpus: 2000, memory: 8000),
        workers: Int? = nil,
        form: TaskPodConfiguration.CapacityForm = .flat
    ) -> AdmissionLedger {
        AdmissionLedger(total: total, workers: workers, form: form, now: Self.start)
    }

    @Test("never gives more than there is, whatever comes and goes", arguments: 0..<20)
    func neverOvercommits(_ seed: Int) {
        var random = Lehmer(state: UInt64(seed) * 2 + 1)
        let workers = seed.isMultiple(of: 3) ? 3 : nil
        let total = ResourceVector(cpus: 4000, gpus: 2000, memory: 8000)
        var ledger = ledger(total, workers: workers)
        var running: [ResourceVector] = []
        for step in 0..<2000 {
            let now = Self.start + .milliseconds(Int64(step))
            if !running.isEmpty, Bool.random(using: &random) {
                let needs = running.remove(at: Int.random(in: 0..<running.count, using: &random))
                ledger.release(needs, as: [.completed, .cancelled, .failed].randomElement(using: &random)!, now: now)
            } else {
                let needs = ResourceVector(
                    cpus: Int64.random(in: 0...5000, using: &random),
                    gpus: Int64.random(in: 0...2500, using: &random),
                    memory: Int64.random(in: 0...9000, using: &random)
                )
                let sum = running.reduce(needs, +)
                let fits = sum.fits(in: total) && running.count < workers ?? .max
                let admitted = (try? ledger.admit(needs, now: now)) != nil
                #expect(admitted == fits)
                if admitted { running.append(needs) }
            }
            let sum = running.reduce(ResourceVector.zero, +)
            #expect(ledger.inUse == sum)
            #expect(ledger.free == (running.count == workers ? .zero : total - sum))
            #expect(ledger.statistics.running == running.count)
        }
        let statistics = ledger.statistics
        #expect(
            statistics.accepted == statistics.completed + statistics.cancelled + statistics.failed + statistics.running
        )
        #expect(statistics.accepted > 100 && statistics.refused > 100)
        #expect(statistics.peak.fits(in: total))
    }

    @Test("busy GPUs are integrated over time")
    func gpuTime() throws {
        var ledger = ledger()
        let whole = ResourceVector(cpus: 0, gpus: 1000, memory: 0)
        let half = ResourceVector(cpus: 0, gpus: 500, memory: 0)
        try ledger.admit(whole, now: Self.start)
        try ledger.admit(half, now: Self.start + .milliseconds(1000))
        ledger.release(whole, as: .completed, now: Self.start + .milliseconds(3000))
        let statistics = ledger.statistics(at: Self.start + .milliseconds(4000))
        #expect(abs(statistics.gpuBusySeconds - (1 + 1.5 * 2 + 0.5)) < 1e-9)
        #expect(statistics.gpuRequests == 2)
        #expect(statistics.peak.gpus == 1500)
    }

    @Test("with the nested form a task takes one worker and its share")
    func nested() throws {
        var ledger = ledger(workers: 2, form: .nested)
        #expect(ledger.largest == ResourceVector(cpus: 2000, gpus: 1000, memory: 4000))
        #expect(throws: AdmissionLedger.Refusal.busy) {
            try ledger.admit(ResourceVector(cpus: 0, gpus: 2000, memory: 0), now: Self.start)
        }
        try ledger.admit(ledger.largest, now: Self.start)
        try ledger.admit(.zero, now: Self.start)
        #expect(throws: AdmissionLedger.Refusal.busy) { try ledger.admit(.zero, now: Self.start) }
    }

    @Test("takes nothing while draining or before its server is ready, and says which")
    func notNow() throws {
        var ledger = ledger(workers: 4)
        ledger.isReady = false
        #expect(ledger.free == .zero)
        #expect(ledger.idleWorkers == 0)
        #expect(throws: AdmissionLedger.Refusal.notReady) { try ledger.admit(.zero, now: Self.start) }
        ledger.isReady = true
        #expect(ledger.idleWorkers == 4)
        ledger.drain()
        #expect(ledger.free == .zero)
        #expect(throws: AdmissionLedger.Refusal.draining) { try ledger.admit(.zero, now: Self.start) }
    }

    @Test("remembers the latest ids, and which of them came again")
    func history() {
        var history = RequestHistory(limit: 3)
        for id in ["a", "b", "a", "c"] { history.record(id) }
        #expect(Array(history.all) == ["b", "a", "c"])
        #expect(history.forgotten == 1)
        #expect(history.repeated.isEmpty)
        history.record("c")
        #expect(history.repeated == ["c": 2])
        history.record(String(repeating: "x", count: 1000))
        #expect(history.all.last?.utf8.count == 64)
    }
}

/// A small generator, so that a failure can be repeated.
struct Lehmer: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 33)
    }
}
