import Core
import Ingress
import NIOConcurrencyHelpers
import NIOCore

/// Takes the dispatcher's wishes to the one who polls, which is made after it.
final class PollingRelay: PodPolling {
    private let target = NIOLockedValueBox<(any PodPolling)?>(nil)

    func set(_ polling: any PodPolling) { target.withLockedValue { $0 = polling } }

    func pollNow(_ pod: Pod) { target.withLockedValue { $0 }?.pollNow(pod) }

    func setInterval(_ interval: TimeAmount?, for pod: Pod) {
        target.withLockedValue { $0 }?.setInterval(interval, for: pod)
    }
}

/// Passes everything on, and tells `/ready` that discovery was tried once the dispatcher knows the first pods.
struct DiscoveryWitness: PodObserver {
    let observer: any PodObserver
    let health: HealthState

    func podsChanged(_ pods: [Pod]) {
        observer.podsChanged(pods)
        health.discoveryWasTried()
    }

    func sampled(_ pod: Pod, _ report: CapacityReport, sentAt: NIODeadline, receivedAt: NIODeadline) {
        observer.sampled(pod, report, sentAt: sentAt, receivedAt: receivedAt)
    }

    func pollFailed(_ pod: Pod, _ problem: String, sentAt: NIODeadline, receivedAt: NIODeadline) {
        observer.pollFailed(pod, problem, sentAt: sentAt, receivedAt: receivedAt)
    }
}
