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
        }
    }

    /// The reason for which such a request is refused when its time is up.
    package var endReason: EndReason {
        switch self {
        case .noPods: .noPods
        case .exceedsEveryPod: .exceedsEveryPod
        default: .noCapacity
        }
    }
}

extension DispatchMachine {
    /// The order in which what is lacking is named: the scarcest first.
    private static let scarcestFirst: [ResourceDimension] = [.gpus, .memory, .cpus]

    /// Why the first of a line waits. Looks at every pod.
    func whyWaiting(_ line: Int) -> WaitReason {
        let waiting = lines[line]
        if isPaused { return .paused }
        if routes[waiting.routeKey].isPaused { return .routePaused }
        if routes[waiting.routeKey].isFull { return .concurrency }
        let routable = pods.glances.filter(\.isRoutable)
        guard !routable.isEmpty else {
            // One that was never sampled has refused nothing.
            let isKnown = pods.indices.contains { pods[$0].isServing && pods[$0].ledger.receivedAt != nil }
            return isKnown ? .podsResting : .noPods
        }
        let able = routable.filter { waiting.needs.fits(in: $0.largest) }
        guard !able.isEmpty else {
            let couldOnceWell = pods.indices.contains {
                !pods[$0].isGone && !pods[$0].isDraining && waiting.needs.fits(in: pods.glance($0).largest)
            }
            return couldOnceWell ? .podsResting : .exceedsEveryPod(leastLacking(waiting.needs, routable))
        }
        let idle = able.filter { $0.idle > 0 }
        guard !idle.isEmpty else { return .workers }
        let roomy = idle.filter { waiting.needs.fits(in: $0.free) }
        guard let open = roomy.first else {
            let taken = Self.scarcestFirst.first { dimension in
                idle.allSatisfy { waiting.needs[dimension] > $0.free[dimension] }
            }
            return taken.map { .lacks($0) } ?? .fragmented
        }
        let isReserved = roomy.contains { $0.reservedLine >= 0 && $0.reservedLine != Int32(line) }
        return isReserved && open.blockedRoute == -1 ? .reserved : .podsResting
    }

    /// The same for a person: "needs gpus=2; the most any of 3 pods has free is 1".
    func explain(_ why: WaitReason, _ line: Int) -> String {
        let needs = lines[line].needs
        let routable = pods.glances.filter(\.isRoutable)
        let able = routable.filter { needs.fits(in: $0.largest) }
        let every = Self.count(routable.count)
        let those = able.count == routable.count ? every : "\(Self.count(able.count)) that could hold it"
        switch why {
        case .noPods:
            guard pods.count > 0 else { return "there is no pod" }
            let problem = pods.indices.lazy.compactMap { pods[$0].pollProblem }.first
            return "none of \(Self.count(pods.count)) reports its capacity" + (problem.map { ": \($0)" } ?? " yet")
        case .exceedsEveryPod(let dimension):
            let most = routable.map { $0.largest[dimension] }.max() ?? 0
            guard needs[dimension] > most else {
                return "needs \(needs); no one of \(every) has all of that, even when idle"
            }
            return "needs \(Self.amount(needs, dimension)); the most any of \(every) has in all is "
                + ResourceVector.decimal(most)
        case .lacks(let dimension):
            let most = max(able.filter { $0.idle > 0 }.map { $0.free[dimension] }.max() ?? 0, 0)
            return "needs \(Self.amount(needs, dimension)); the most any of \(those) has free is "
                + ResourceVector.decimal(most)
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
        }
    }

    private func leastLacking(_ needs: ResourceVector, _ routable: [PodGlance]) -> ResourceDimension {
        let never = Self.scarcestFirst.first { dimension in
            routable.allSatisfy { needs[dimension] > $0.largest[dimension] }
        }
        return never ?? .gpus
    }

    private static func amount(_ needs: ResourceVector, _ dimension: ResourceDimension) -> String {
        "\(dimension.rawValue)=\(ResourceVector.decimal(needs[dimension]))"
    }

    private static func count(_ pods: Int) -> String { pods == 1 ? "1 pod" : "\(pods) pods" }
}
