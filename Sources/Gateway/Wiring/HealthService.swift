import Core
import Dispatcher
import Ingress
import Pods
import Queue
import ServiceLifecycle

/// Tells `/ready` once a second what is wrong with discovery, pods and storage.
struct HealthService: Service {
    let health: HealthState
    let directory: PodDirectory
    let dispatcher: RequestDispatcher
    let journal: any RequestJournal

    func run() async throws {
        try await TickService(every: .seconds(1)) { await tick() }.run()
    }

    func tick() async {
        let found = directory.status
        health.report(found.problem ?? Self.mistakes(found.skipped), about: "discovery")
        health.report(journal.unavailable?.description, about: "storage")
        // One that was not asked yet is not in trouble.
        let pods = await dispatcher.podSnapshots().filter { !$0.isGone && ($0.available != nil || $0.failedPolls > 0) }
        let routable = pods.count(where: \.isRoutable)
        let problem = routable == pods.count ? nil : "\(pods.count - routable) of \(pods.count) pods cannot be used now"
        health.report(problem, about: "pods")
    }

    /// The first of the pods that nobody can use until somebody mends them.
    private static func mistakes(_ skipped: [SkippedPod]) -> String? {
        let mistakes = skipped.filter(\.isMistake)
        guard let first = mistakes.first else { return nil }
        let others = mistakes.count > 1 ? ", and \(mistakes.count - 1) more" : ""
        return "the pod \(first.id) cannot be used: \(first.reason)\(others)"
    }
}

/// Does something again and again, until the shutdown.
struct TickService: Service {
    private let interval: Duration
    private let tick: @Sendable () async -> Void

    init(every interval: Duration, _ tick: @escaping @Sendable () async -> Void) {
        self.interval = interval
        self.tick = tick
    }

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                await tick()
                try await Task.sleep(for: interval)
            }
        }
    }
}
