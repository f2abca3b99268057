package import Core
package import NIOCore
package import Queue

/// Who waits, for operators.
package struct QueueSnapshot: Sendable {
    /// Waiting requests, and how long the oldest has waited.
    package struct Depth: Sendable, Equatable {
        package var count = 0
        package var oldestAge = TimeAmount.zero
    }

    /// One route.
    package struct Route: Sendable {
        package var id: String
        package var depth = Depth()
        /// With pods now.
        package var dispatched: Int
        package var isPaused: Bool
        /// In force; nil for none.
        package var maxConcurrency: Int?
        package var hasOperatorSetting: Bool
    }

    /// One line: the requests of a route, a priority and the same needs.
    package struct Line: Sendable {
        package var routeID: String
        package var priority: RequestPriority
        package var needs: ResourceVector
        package var depth: Depth
        /// Its first request, and its id where the dispatcher told it: the machine knows no ids.
        package var first: Ticket
        package var firstID: RequestID?
        /// Why its first request waits, in words and as a word.
        package var why: WaitReason
        package var explanation: String
        /// The pod that is reserved for it.
        package var reservedPodID: String?
        /// When its first request will be refused, from now; nil where nobody waits for it, so that it is held on.
        package var deadlineIn: TimeAmount?
    }

    /// Clients' requests.
    package var live = Depth()
    /// Replays, which wait behind them for as long as it takes.
    package var replays = Depth()
    /// All that there were since the start, in the order of their keys.
    package var routes: [Route] = []
    /// By what the first of each line lacks: `gpus`, `workers`, … (``WaitReason/name``).
    package var lacking: [String: Depth] = [:]
    package var lines: [Line] = []
    package var isPaused = false
    package var isDraining = false
    /// Leased now, to any pod.
    package var dispatched = 0
}

/// One pod, for operators.
package struct PodSnapshot: Sendable {
    package var pod: Pod
    package var total: ResourceVector?
    /// Whether ``total`` is what the pod said, not the most that was ever seen of it.
    package var totalIsReported: Bool
    /// What the ledger says is free now; nil without a sample.
    package var available: ResourceVector?
    package var idleWorkers: Int?
    package var totalWorkers: Int?
    /// Open leases of this gateway, and what they need together.
    package var leases: Int
    package var leased: ResourceVector
    /// Since the last sample came; nil without one.
    package var sampleAge: TimeAmount?
    package var isStale: Bool
    package var isHealthy: Bool
    package var failedPolls: Int
    package var pollProblem: String?
    /// By discovery or by an operator.
    package var isDraining: Bool
    /// By an operator.
    package var isDrained: Bool
    /// Gone from discovery, finishing what it has.
    package var isGone: Bool
    package var isRoutable: Bool
    /// `closed`, `open` or `half_open`, and when it lets a request through again.
    package var breaker: String
    package var breakerReopensIn: TimeAmount?
    package var reservedForRouteID: String?
    package var counts: PodCounts
}

/// What became of the attempts at one pod since it was found.
package struct PodCounts: Sendable, Equatable {
    package var dispatched = 0
    package var answered = 0
    /// Answered with a 5xx other than busy.
    package var serverErrors = 0
    package var busy = 0
    package var connectFailed = 0
    package var timeouts = 0
    package var resets = 0
    package var aborted = 0
    package var polls = 0
    package var pollsFailed = 0
}

extension DispatchMachine {
    /// How many clients' requests wait, and since when.
    package func depth(now: NIODeadline) -> QueueSnapshot.Depth {
        var oldest = now
        for index in lines.active where lines[Int(index)].priority == .live {
            oldest = min(oldest, lines[Int(index)].headArrivedAt)
        }
        return QueueSnapshot.Depth(count: lines.count - lines.replayCount, oldestAge: now - oldest)
    }

    /// Who waits, and why.
    /// - Parameter explains: Also in words.
    package func queueSnapshot(now: NIODeadline, explains: Bool = true) -> QueueSnapshot {
        // Many lines need the same: pods are looked at once for each needs.
        var surveys: [ResourceVector: PodSurvey] = [:]
        var snapshot = QueueSnapshot()
        snapshot.isPaused = isPaused
        snapshot.isDraining = isDraining
        snapshot.dispatched = leasedCount
        var depths: [Int: QueueSnapshot.Depth] = [:]
        for index in lines.active.map({ Int($0) }).sorted(by: { lines[$0].precedes(lines[$1]) }) {
            let line = lines[index]
            let survey = surveys[line.needs] ?? self.survey(line.needs)
            surveys[line.needs] = survey
            let why = whyWaiting(index, survey)
            let depth = QueueSnapshot.Depth(count: line.count, oldestAge: now - line.headArrivedAt)
            if line.priority == .live { snapshot.live.add(depth) } else { snapshot.replays.add(depth) }
            depths[line.routeKey, default: .init()].add(depth)
            snapshot.lacking[why.name, default: .init()].add(depth)
            snapshot.lines.append(
                QueueSnapshot.Line(
                    routeID: routes[line.routeKey].route.id,
                    priority: line.priority,
                    needs: line.needs,
                    depth: depth,
                    first: requests.ticket(Int(line.head)),
                    why: why,
                    explanation: explains ? explain(why, index, survey) : "",
                    reservedPodID: line.reservedPod < 0 ? nil : pods[Int(line.reservedPod)].pod.id,
                    deadlineIn: requests[Int(line.head)].isPatient
                        ? nil : (deadlines.deadline(of: Int(line.head)) ?? now) - now
                )
            )
        }
        snapshot.routes = routes.indices.map { key in
            QueueSnapshot.Route(
                id: routes[key].route.id,
                depth: depths[key] ?? .init(),
                dispatched: routes[key].leased,
                isPaused: routes[key].isPaused,
                maxConcurrency: routes[key].maxConcurrency,
                hasOperatorSetting: routes[key].hasOperatorSetting
            )
        }
        return snapshot
    }

    /// Every pod, those that are gone and still finish something included, in the order in which they were found.
    package func podSnapshots(now: NIODeadline) -> [PodSnapshot] {
        pods.indices.map { podSnapshot($0, now: now) }.sorted { $0.pod.key < $1.pod.key }
    }

    /// One pod by its id; the one that is there, where another of the same id is gone and still finishes something.
    package func podSnapshot(id: String, now: NIODeadline) -> PodSnapshot? {
        let slots = pods.indices.filter { pods[$0].pod.id == id }
        return (slots.first { !pods[$0].isGone } ?? slots.first).map { podSnapshot($0, now: now) }
    }

    private func podSnapshot(_ slot: Int, now: NIODeadline) -> PodSnapshot {
        let record = pods[slot]
        let ledger = record.ledger
        let wasSampled = ledger.receivedAt != nil
        return PodSnapshot(
            pod: record.pod,
            total: wasSampled ? ledger.total : nil,
            totalIsReported: ledger.reportedTotal != nil,
            available: wasSampled ? ledger.free : nil,
            idleWorkers: ledger.idle,
            totalWorkers: ledger.totalWorkers,
            leases: ledger.openCount,
            leased: ledger.held,
            sampleAge: ledger.receivedAt.map { now - $0 },
            isStale: wasSampled && !record.isFresh(now, configuration),
            isHealthy: record.failedPolls < configuration.unhealthyAfterPolls,
            failedPolls: record.failedPolls,
            pollProblem: record.pollProblem,
            isDraining: record.isDraining,
            isDrained: record.isDrained,
            isGone: record.isGone,
            isRoutable: pods.glance(slot).isRoutable,
            breaker: record.breaker.name,
            breakerReopensIn: record.breaker.reopensAt.map { $0 - now },
            reservedForRouteID: record.reservedLine < 0
                ? nil : routes[lines[Int(record.reservedLine)].routeKey].route.id,
            counts: record.counts
        )
    }
}

extension QueueSnapshot.Depth {
    fileprivate mutating func add(_ other: Self) {
        count += other.count
        oldestAge = max(oldestAge, other.oldestAge)
    }
}
