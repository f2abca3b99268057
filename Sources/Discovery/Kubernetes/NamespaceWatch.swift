import Logging
import OpenAPI

/// Knows the pods of one namespace, or of all: lists them, follows a watch from there, and begins again where a watch cannot go on.
/// What comes next is ``NamespaceCourse``'s to say.
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
    static let steady = Duration.seconds(1)

    /// Runs until its task is cancelled; `tell` gets the whole state at every change. Pods are dropped only when a list or an event says
    /// that they are gone.
    func run(_ tell: (State) -> Void) async throws {
        var course = NamespaceCourse(generator: generator)
        while true {
            var pause: Duration?
            switch course.step {
            case .list:
                do throws(DiscoveryError) {
                    for what in course.listed(try await lister.list()) { warn(what) }
                } catch {
                    pause = course.listFailed(error)
                }
            case .watch(let version):
                pause = course.ended(try await watch(from: version, &course, tell))
            }
            try Task.checkCancellation()
            if let state = course.takeNews() { tell(state) }
            if let pause { try await clock.sleep(for: pause) }
        }
    }

    /// - Returns: What ended it; nil where the server did.
    private func watch(
        from version: String?,
        _ course: inout NamespaceCourse,
        _ tell: (State) -> Void
    ) async throws -> DiscoveryError? {
        do {
            try await lister.watch(from: version, steadyAfter: Self.steady, of: clock) { news in
                if let what = try course.hear(news) { warn(what) }
                if let state = course.takeNews() { tell(state) }
            }
            return nil
        } catch let error as DiscoveryError {
            logger.debug("a watch has ended", metadata: ["namespace": "\(name)", "error": "\(error)"])
            return error
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
