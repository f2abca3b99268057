import Core
import CoreMetrics
import NIOCore
import Telemetry

/// Times polls on their way to the dispatcher.
struct PollMeter: PodObserver {
    static let metric = "neutrino_poll_duration_seconds"

    private let observer: any PodObserver
    private let answered: Timer
    private let failed: Timer

    init(observer: any PodObserver, registry: MetricsRegistry) {
        self.observer = observer
        registry.describe(Self.metric, "Of a poll of a pod's capacity, by whether it had an answer that could be read.")
        answered = Timer(label: Self.metric, dimensions: [("result", "answered")], factory: registry)
        failed = Timer(label: Self.metric, dimensions: [("result", "failed")], factory: registry)
    }

    func podsChanged(_ pods: [Pod]) { observer.podsChanged(pods) }

    func sampled(_ pod: Pod, _ report: CapacityReport, sentAt: NIODeadline, receivedAt: NIODeadline) {
        answered.recordNanoseconds((receivedAt - sentAt).nanoseconds)
        observer.sampled(pod, report, sentAt: sentAt, receivedAt: receivedAt)
    }

    func pollFailed(_ pod: Pod, _ problem: String, sentAt: NIODeadline, receivedAt: NIODeadline) {
        failed.recordNanoseconds((receivedAt - sentAt).nanoseconds)
        observer.pollFailed(pod, problem, sentAt: sentAt, receivedAt: receivedAt)
    }
}
