package import Core
import NIOCore

/// Why a request waits, as a word.
package enum WaitReason: Sendable, Equatable {
    /// No pod is there, or none that is well.
    case noPods
    /// No pod has as much, even with nothing else on it; this is what the nearest has too little of.
    case exceedsEveryPod(ResourceDimension)
    /// This is taken on every pod that could hold it.
    case lacks(ResourceDimension)
    /// Each resource is free somewhere, but not together on one pod.
    case fragmented
    /// No pod that could hold it has an idle worker for it.
    case workers
    /// What would fit is reserved for one that has waited longer.
    case reserved
    /// What would fit refused a request as busy a moment ago, failed this one before, or is left alone since it failed others.
    case podsResting
    /// As many of its route are with pods as may be.
    case concurrency
    /// Dispatching is paused.
    case paused
    /// Its route is.
    case routePaused
    /// Every pod that is there is being drained.
    case podsDraining
    /// The gateway ends, and nothing is sent to pods any more.
    case stopped

    /// The word for it in the API and in metrics: a resource's name, or the case.
    package var name: String {
        switch self {
        case .noPods: "no_pods"
        case .exceedsEveryPod(let dimension), .lacks(let dimension): dimension.rawValue
        case .fragmented: "fragmented"
        case .workers: "workers"
        case .reserved: "reserved"
        case .podsResting: "pods_resting"
        case .concurrency: "concurrency"
        case .paused: "paused"
        case .routePaused: "route_paused"
        case .podsDraining: "pods_draining"
        case .stopped: "stopped"
        }
    }

    /// The reason for which such a request is refused when its time is up.
    package var endReason: EndReason {
        switch self {
        case .noPods, .podsDraining: .noPods
        case .exceedsEveryPod: .exceedsEveryPod
        default: .noCapacity
        }
    }
}

extension DispatchMachine {
    /// Why the first of a line waits, by what was found for its needs.
    func whyWaiting(_ line: Int, _ survey: PodSurvey) -> WaitReason {
        let waiting = lines[line]
        if isStopped { return .stopped }
        if isPaused { return .paused }
        if routes[waiting.routeKey].isPaused { return .routePaused }
        if routes[waiting.routeKey].isFull { return .concurrency }
        guard survey.routable > 0 else { return whyNoneRoutable() }
        guard survey.able > 0 else {
            let couldOnceWell = pods.indices.contains {
                !pods[$0].isGone && !pods[$0].isDraining && waiting.needs.fits(in: pods.glance($0).largest)
            }
            return couldOnceWell ? .podsResting : .exceedsEveryPod(survey.exceeding(waiting.needs))
        }
        guard survey.idle > 0 else { return .workers }
        guard survey.roomy > 0 else {
            return survey.lacking(waiting.needs).map { .lacks($0) } ?? .fragmented
        }
        let isReserved = survey.reservedLines.contains { $0 != Int32(line) }
        return isReserved && survey.firstIsOpen ? .reserved : .podsResting
    }

    private func whyNoneRoutable() -> WaitReason {
        var (isThere, isWanted, isKnown) = (false, false, false)
        for slot in pods.indices where !pods[slot].isGone {
            isThere = true
            guard !pods[slot].isDraining else { continue }
            isWanted = true
            // One that was never sampled has refused nothing.
            if pods[slot].isServing, pods[slot].ledger.receivedAt != nil { isKnown = true }
        }
        if isThere, !isWanted { return .podsDraining }
        return isKnown ? .podsResting : .noPods
    }

    /// What all pods together have for some needs, found in one pass.
    func survey(_ needs: ResourceVector) -> PodSurvey {
        var survey = PodSurvey()
        pods.glances.withUnsafeBufferPointer { glances in
            for glance in glances where glance.isRoutable {
                survey.routable += 1
                survey.mostInAll.takeLargest(of: glance.largest)
                guard needs.fits(in: glance.largest) else { continue }
                survey.able += 1
                guard glance.idle > 0 else { continue }
                survey.mostFree.takeLargest(of: glance.free)
                survey.idle += 1
                guard needs.fits(in: glance.free) else { continue }
                if survey.roomy == 0 { survey.firstIsOpen = glance.blockedRoute == -1 }
                survey.roomy += 1
                if glance.reservedLine >= 0 { survey.reservedLines.append(glance.reservedLine) }
            }
        }
        return survey
    }

    /// A reason for a person: "needs gpus=2; the most any of 3 pods has free is 1".
    func explain(_ why: WaitReason, _ line: Int, _ survey: PodSurvey) -> String {
        let needs = lines[line].needs
        let every = Self.count(survey.routable)
        let those = survey.able == survey.routable ? every : "\(Self.count(survey.able)) that could hold it"
        switch why {
        case .noPods:
            guard pods.count > 0 else { return "there is no pod" }
            let problem = pods.indices.lazy.compactMap { pods[$0].pollProblem }.first
            return "none of \(Self.count(pods.count)) reports its capacity" + (problem.map { ": \($0)" } ?? " yet")
        case .podsDraining:
            return "every pod is being drained (\(Self.count(pods.count))): nothing new is sent to it"
        case .exceedsEveryPod(let dimension):
            let most = survey.mostInAll[dimension]
            guard needs[dimension] > most else {
                return "needs \(needs); no one of \(every) has all of that, even when idle"
            }
            return "needs \(Self.amount(needs, dimension)); the most any of \(every) has in all is "
                + ResourceVector.decimal(most)
        case .lacks(let dimension):
            return "needs \(Self.amount(needs, dimension)); the most any of \(those) has free is "
                + ResourceVector.decimal(max(survey.mostFree[dimension], 0))
        case .fragmented: return "needs \(needs); no one of \(those) has all of that free at once"
        case .workers: return "none of \(those) has an idle worker for it"
        case .reserved: return "what would fit is reserved for a request that has waited longer"
        case .podsResting:
            return "the pods that could hold it refused or failed requests and are left alone for a moment"
        case .concurrency:
            let bound = routes[lines[line].routeKey].mostLeased
            return "\(bound) requests of its route are with pods, which is as many as may be"
        case .paused: return "dispatching is paused by an operator"
        case .routePaused: return "its route is paused by an operator"
        case .stopped: return "the gateway is shutting down; it goes on after the next start"
        }
    }

    private static func amount(_ needs: ResourceVector, _ dimension: ResourceDimension) -> String {
        "\(dimension.rawValue)=\(ResourceVector.decimal(needs[dimension]))"
    }

    private static func count(_ pods: Int) -> String { pods == 1 ? "1 pod" : "\(pods) pods" }
}

/// What all pods together have for some needs: what the reasons are told from.
struct PodSurvey {
    /// Pods that may be used; those of them that could hold it when idle; of these, those with an idle worker, and with room.
    var routable = 0
    var able = 0
    var idle = 0
    var roomy = 0
    /// The most that any routable pod has in all, and that any able one with an idle worker has free, by dimension.
    var mostInAll = PodSurvey.nothing
    var mostFree = PodSurvey.nothing
    /// The lines for which roomy pods are reserved.
    var reservedLines: [Int32] = []
    /// Whether the first roomy pod refuses no route at the moment.
    var firstIsOpen = false

    private static let nothing = ResourceVector(cpus: .min, gpus: .min, memory: .min)
    /// The order in which what is lacking is named: the scarcest first.
    private static let scarcestFirst: [ResourceDimension] = [.gpus, .memory, .cpus]

    /// What is taken on each pod that could hold it; nil where each resource is free somewhere.
    func lacking(_ needs: ResourceVector) -> ResourceDimension? {
        Self.scarcestFirst.first { needs[$0] > mostFree[$0] }
    }

    /// What no pod has enough of.
    func exceeding(_ needs: ResourceVector) -> ResourceDimension {
        Self.scarcestFirst.first { needs[$0] > mostInAll[$0] } ?? .gpus
    }
}

extension ResourceVector {
    @inline(__always)
    fileprivate mutating func takeLargest(of other: ResourceVector) {
        cpus = max(cpus, other.cpus)
        gpus = max(gpus, other.gpus)
        memory = max(memory, other.memory)
    }
}
