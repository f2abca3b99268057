import Core

@testable import Dispatcher
@testable import Queue

/// The world around a job, small and in memory: the log with its sources and the job's rows, a crash at any moment, hand-overs of which some
/// fail. Refuses what must never happen.
struct ReplayModel {
    struct Row {
        var id: Int64
        var source: Int64
        var state: RequestState
    }

    let sources: [ReplayFacts]
    /// The values of fields are in memory only: what waits cannot go on after a restart.
    let hasCredentials: Bool
    private(set) var rows: [Row] = []
    private(set) var crashes = 0
    private(set) var failures = 0
    private var lastID: Int64
    var random: SeededGenerator

    init(sources: [ReplayFacts], hasCredentials: Bool, seed: UInt64) {
        self.sources = sources
        self.hasCredentials = hasCredentials
        lastID = sources.last?.id.rawValue ?? 0
        random = SeededGenerator(seed: seed)
    }

    var open: Int { rows.count { !$0.state.isTerminal } }

    /// What ``Queue/RequestLog/replayCandidates(_:job:after:limit:)`` finds, looking at few rows at a time.
    func candidates(after: Int64) -> ReplayCandidates {
        let rest = sources.filter { $0.id.rawValue > after }
        let part = rest.prefix(7)
        return ReplayCandidates(
            sources: part.map { facts in
                ReplayCandidate(facts: facts, isMade: rows.contains { $0.source == facts.id.rawValue })
            },
            scannedTo: part.last?.id.rawValue ?? after,
            isLast: rest.count <= 7
        )
    }

    /// What ``Queue/RequestLog/replayRows(of:since:)`` finds.
    func change(since tally: ReplayTally) -> ReplayTally.Change {
        let known = rows.filter { tally.open[$0.id] != nil }
        let new = rows.filter { $0.id > tally.counted }.prefix(9)
        return ReplayTally.Change(
            rows: (known + new).map { ReplayTally.Row(id: $0.id, source: $0.source, state: $0.state) },
            isCut: new.count == 9
        )
    }

    /// Hands over sources: where it fails, some have their rows all the same.
    /// - Returns: Whether all have.
    mutating func handOver(_ wanted: [Int64]) -> Bool {
        let fails = random.chance(0.1)
        failures += fails ? 1 : 0
        for source in wanted {
            if fails, random.chance(0.5) { continue }
            precondition(
                !rows.contains { $0.source == source && $0.state != .abandoned },
                "a source is sent twice"
            )
            lastID += 1
            rows.append(Row(id: lastID, source: source, state: random.chance(0.5) ? .dispatched : .queued))
        }
        precondition(open <= ReplayPace.ahead, "too far ahead")
        return !fails
    }

    /// Some rows go on or end.
    mutating func pass() {
        for index in rows.indices where !rows[index].state.isTerminal && random.chance(0.3) {
            switch rows[index].state {
            case .queued where random.chance(0.1): rows[index].state = .abandoned
            case .queued: rows[index].state = .dispatched
            default: rows[index].state = random.chance(0.2) ? .failed : .completed
            }
        }
    }

    /// The gateway is killed and starts again.
    mutating func crash() {
        crashes += 1
        for index in rows.indices {
            switch rows[index].state {
            case .dispatched: rows[index].state = .interrupted
            case .queued where hasCredentials: rows[index].state = .abandoned
            default: break
            }
        }
    }
}
