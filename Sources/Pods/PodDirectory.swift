package import Core
package import Logging
import NIOConcurrencyHelpers
package import NIOCore
import ServiceLifecycle
import Synchronization

/// Knows which pods there are, and polls each for its capacity.
///
/// A pod that is found again with the very same description is the same ``Core/Pod``. Any change of the description makes another one,
/// also of ``Core/PodDescription/isDraining`` alone: the old one is gone and finishes what it has, which is what draining asks
/// for, and the new one is polled and shown as draining.
///
/// The observer is called on the HTTP client's thread: it must not block.
package final class PodDirectory: Service, PodPolling {
    /// What `/ready` and operators are told of discovery.
    package struct Status: Sendable {
        /// Whether discovery has reported at least once, and the observer was told.
        package var wasTried = false
        /// What is wrong with discovery, in words; nil when all is well.
        package var problem: String?
        /// In the order in which discovery told them.
        package var pods: [Pod] = []
        /// What was found and is not used.
        package var skipped: [SkippedPod] = []
    }

    private let discovery: any PodDiscovery
    private let client: CurlClient
    private let poller: PodPoller
    private let box = NIOLockedValueBox(Status())
    private let clock: any Clock<Duration>
    private let logger: Logger

    /// How long after a discovery that ended with an error it is begun again.
    private static let pauseAfterFailure = Duration.seconds(1)
    private static let lastKey = Atomic(0)

    /// - Parameters:
    ///   - generator: Jitters the timers of the polls.
    ///   - clock: Times the pause before a discovery that failed begins again.
    package init(
        discovery: any PodDiscovery,
        observer: any PodObserver,
        client: CurlClient,
        configuration: PodsConfiguration,
        generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(),
        clock: any Clock<Duration> = ContinuousClock(),
        logger: Logger
    ) {
        self.discovery = discovery
        self.client = client
        self.clock = clock
        self.logger = logger
        poller = PodPoller(
            client: client,
            observer: observer,
            configuration: configuration,
            generator: generator,
            logger: logger
        )
    }

    package var status: Status { box.withLockedValue { $0 } }

    /// Discovers and polls until its task is cancelled or the service group shuts down gracefully.
    package func run() async throws {
        defer { client.execute { [poller] in poller.stop() } }
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let problem: String
                do {
                    try await self.discovery.run { self.take($0) }
                    problem = "discovery has ended"
                } catch {
                    problem = "discovery has failed: \(error)"
                }
                guard !Task.isCancelled else { return }
                let last = self.status
                self.take(
                    DiscoveryUpdate(pods: last.pods.map(\.description), skipped: last.skipped, problem: problem)
                )
                try? await self.clock.sleep(for: Self.pauseAfterFailure)
            }
        }
    }

    package func pollNow(_ pod: Pod) { client.execute { [poller] in poller.want(pod) } }

    package func setInterval(_ interval: TimeAmount?, for pod: Pod) {
        client.execute { [poller] in poller.setInterval(interval, for: pod) }
    }

    /// Takes what discovery found: on the client's thread, so in the order of calls and between the poller's own.
    private func take(_ update: DiscoveryUpdate) {
        client.execute { [self] in
            let before = status
            let pods = Self.intern(update.pods, known: before.pods)
            if pods != before.pods || !before.wasTried { poller.replace(pods) }
            let now = Status(wasTried: true, problem: update.problem, pods: pods, skipped: update.skipped)
            box.withLockedValue { $0 = now }
            log(before: before, now: now)
        }
    }

    /// The pods of these descriptions, known ones where they are; one of each.
    private static func intern(_ descriptions: [PodDescription], known: [Pod]) -> [Pod] {
        let known = Dictionary(known.map { ($0.description, $0) }, uniquingKeysWith: { first, _ in first })
        var seen: Set<PodDescription> = []
        return descriptions.compactMap { description in
            guard seen.insert(description).inserted else { return nil }
            return known[description]
                ?? Pod(key: lastKey.add(1, ordering: .relaxed).newValue, description: description)
        }
    }

    private func log(before: Status, now: Status) {
        if before.pods != now.pods {
            let (old, new) = (Set(before.pods), Set(now.pods))
            for pod in now.pods where !old.contains(pod) {
                logger.notice(
                    "found a pod",
                    metadata: ["pod": "\(pod.id)", "draining": "\(pod.description.isDraining)"]
                )
            }
            for pod in before.pods where !new.contains(pod) {
                logger.notice("a pod is gone", metadata: ["pod": "\(pod.id)"])
            }
        }
        if before.skipped != now.skipped {
            let old = Set(before.skipped)
            for pod in now.skipped where !old.contains(pod) {
                logger.log(
                    level: pod.isMistake ? .warning : .debug,
                    "a pod that was found is not used",
                    metadata: ["pod": "\(pod.id)", "reason": "\(pod.reason)"]
                )
            }
        }
        guard now.problem != before.problem else { return }
        if let problem = now.problem {
            logger.warning("discovery of pods has a problem", metadata: ["problem": "\(problem)"])
        } else {
            logger.notice("discovery of pods has no problem any more")
        }
    }
}
