package import Core
package import Logging
import NIOConcurrencyHelpers
package import NIOCore
import ServiceLifecycle

/// Knows which pods there are, and polls each for its capacity.
package final class PodDirectory: Service, PodPolling {
    /// What ``/ready`` and operators are told of discovery.
    package struct Status: Sendable {
        /// Whether discovery has reported at least once, and the observer was told.
        package var wasTried = false
        /// What is wrong with discovery, in words; nil when all is well.
        package var problem: String?
        package var pods: [Pod] = []
    }

    private let box = NIOLockedValueBox(Status())

    package init(
        discovery: any PodDiscovery,
        observer: any PodObserver,
        client: CurlClient,
        configuration: PodsConfiguration,
        generator: some RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        logger: Logger
    ) {}

    package var status: Status { box.withLockedValue { $0 } }

    /// Runs until its task is cancelled or the service group shuts down gracefully.
    package func run() async throws { fatalError("comes with the next commit") }

    package func pollNow(_ pod: Pod) { fatalError("comes with the next commit") }

    package func setInterval(_ interval: TimeAmount?, for pod: Pod) { fatalError("comes with the next commit") }
}
