import Logging
import OpenAPI

/// Knows the pods of one namespace, or of all: lists them, follows a watch from there, and begins again where a watch cannot go on.
struct NamespaceWatch: Sendable {
    /// What is known now.
    struct State: Sendable {
        /// Whether a list came, or failed, at least once.
        var wasTried = false
        var pods: [KubernetesPod] = []
        /// What keeps it from knowing better, in words.
        var problem: String?
    }

    let lister: PodLister
    let clock: any Clock<Duration>
    let generator: any RandomNumberGenerator & Sendable
    let logger: Logger

    /// A watch that lasted this long was none that fails at once.
    private static let steady = Duration.seconds(1)

    /// Runs until its task is cancelled; `tell` gets the whole state at every change. Pods are dropped only when a list or an event says
    /// that they are gone.
    func run(_ tell: (State) -> Void) async throws {
        var known = NamespacePods()
        var state = State()
        var pace = RetryPace(generator: generator)
        var told: Set<String> = []
        /// Of the watch; a list that works says nothing about it.
        var watchProblem: String?
        var needsList = true
        while true {
            let error: DiscoveryError
            do throws(DiscoveryError) {
                if needsList {
                    let list = try await lister.list()
                    known.replace(list)
                    needsList = false
                    for what in list.strange where told.insert(what).inserted { warn(what) }
                    state = State(wasTried: true, pods: Array(known.pods.values), problem: watchProblem)
                    tell(state)
                }
                error = DiscoveryError(.silent, "the watch has ended")
            } catch let problem {
                error = problem
                state.wasTried = true
                state.problem = problem.message
                tell(state)
            }
            try Task.checkCancellation()
            if needsList {
                try await clock.sleep(for: pace.pause(after: error))
                continue
            }
            let begun = ContinuousClock.now
            var ending = error
            var wasHeard = false
            do {
                try await lister.watch(from: known.resourceVersion) { event in
                    // That it was taken ends a problem, as an event would.
                    let effect = try event.map { event throws(DiscoveryError) in try known.apply(event) } ?? .nothing
                    if event != nil { wasHeard = true }
                    if case .strange(let what) = effect, told.count < 100, told.insert(what).inserted { warn(what) }
                    guard effect == .changed || state.problem != nil else { return }
                    watchProblem = nil
                    state = State(wasTried: true, pods: Array(known.pods.values))
                    tell(state)
                }
            } catch let problem as DiscoveryError {
                ending = problem
                needsList = true
                logger.debug("a watch has ended", metadata: ["namespace": "\(name)", "error": "\(problem)"])
            }
            try Task.checkCancellation()
            // One that ends at once without a word may be no watch at all, but a page of something else: a list tells.
            if !wasHeard, ContinuousClock.now - begun < Self.steady { needsList = true }
            watchProblem = needsList ? Self.worthTelling(ending) : nil
            if watchProblem != state.problem {
                state.problem = watchProblem
                tell(state)
            }
            if ContinuousClock.now - begun >= Self.steady { pace.succeeded() }
            try await clock.sleep(for: pace.pause(after: ending))
        }
    }

    /// Watches end and break as a matter of course: the list that follows tells whether there is trouble. What it would not meet is told.
    private static func worthTelling(_ error: DiscoveryError) -> String? {
        switch error.code {
        case .unreachable, .silent, .gone: nil
        case .unauthorized, .forbidden, .refused, .invalidAnswer, .invalidConfiguration, .invalidFile: error.message
        }
    }

    private func warn(_ what: String) {
        logger.warning(
            "the API server told something that is not understood",
            metadata: ["namespace": "\(name)", "what": "\(what)"]
        )
    }

    private var name: String { lister.namespace ?? "*" }
}
