package import Core
package import Logging
import NIOConcurrencyHelpers

/// What to look for in a cluster.
package struct KubernetesConfiguration: Sendable {
    /// `K8S_NAMESPACE`; empty for all.
    package var namespaces: [String]
    /// `K8S_LABEL_SELECTOR`
    package var selector: String
    /// `K8S_PORT`
    package var port: Int?
    package var gateway = GatewayIdentity()

    /// Where pods are looked for, in words.
    package var place: String {
        switch namespaces.count {
        case 0: "any namespace"
        case 1: "the namespace \(namespaces[0])"
        default: "the namespaces \(namespaces.joined(separator: ", "))"
        }
    }

    package init(namespaces: [String], selector: String, port: Int? = nil) {
        self.namespaces = namespaces
        self.selector = selector
        self.port = port
    }
}

/// Task pods by their labels, from the API server of a Kubernetes cluster: a list, then a watch, for each namespace.
///
/// While the API server is away, refuses, or talks nonsense, the last known pods stay. Which pods get requests is ``PodRules``' to say.
package struct KubernetesDiscovery: PodDiscovery {
    private let client: KubernetesClient
    private let configuration: KubernetesConfiguration
    private let rules: PodRules
    private let clock: any Clock<Duration>
    private let generator: any RandomNumberGenerator & Sendable
    private let logger: Logger

    /// - Parameters:
    ///   - clock: Times the pauses after failures.
    ///   - generator: Jitters them.
    package init(
        client: KubernetesClient,
        configuration: KubernetesConfiguration,
        clock: any Clock<Duration> = ContinuousClock(),
        generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        logger: Logger
    ) {
        self.client = client
        self.configuration = configuration
        self.clock = clock
        self.generator = generator
        self.logger = logger
        rules = PodRules(configuration)
    }

    /// Looks once, for `check`.
    package static func look(
        with client: KubernetesClient,
        _ configuration: KubernetesConfiguration
    ) async throws(DiscoveryError) -> (used: [PodDescription], skipped: [SkippedPod]) {
        let namespaces: [String?] = configuration.namespaces.isEmpty ? [nil] : configuration.namespaces
        var pods: [KubernetesPod] = []
        for namespace in namespaces {
            pods += try await PodLister(client: client, namespace: namespace, selector: configuration.selector).list()
                .pods
        }
        return PodRules(configuration).sort(pods)
    }

    package func run(_ report: @Sendable (DiscoveryUpdate) async -> Void) async throws {
        let namespaces: [String?] = configuration.namespaces.isEmpty ? [nil] : configuration.namespaces
        let states = NIOLockedValueBox([NamespaceWatch.State](repeating: .init(), count: namespaces.count))
        // One element at most: what is reported is the newest of everything.
        let (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, namespace) in namespaces.enumerated() {
                let watch = NamespaceWatch(
                    lister: PodLister(client: client, namespace: namespace, selector: configuration.selector),
                    clock: clock,
                    generator: generator,
                    logger: logger
                )
                group.addTask {
                    defer { change.finish() }
                    try await watch.run { state in
                        states.withLockedValue { $0[index] = state }
                        change.yield()
                    }
                }
            }
            for await _ in changes {
                let states = states.withLockedValue { $0 }
                // Half of the pods would be taken for all of them.
                guard states.allSatisfy(\.wasTried) else { continue }
                await report(update(states))
            }
            try await group.waitForAll()
        }
        try Task.checkCancellation()
    }

    private func update(_ states: [NamespaceWatch.State]) -> DiscoveryUpdate {
        let (used, skipped) = rules.sort(states.flatMap(\.pods))
        var problems: [String] = []
        for problem in states.compactMap(\.problem) where !problems.contains(problem) { problems.append(problem) }
        if problems.isEmpty, used.isEmpty, skipped.isEmpty {
            problems.append("no pod in \(configuration.place) matches \(configuration.selector)")
        }
        return DiscoveryUpdate(
            pods: used,
            skipped: skipped,
            problem: problems.isEmpty ? nil : problems.joined(separator: "; ")
        )
    }
}
