import Core
import Pods
import Telemetry

/// Whether pods are found.
struct DiscoveryCollector: MetricsCollector {
    let directory: PodDirectory

    func collect() async -> [MetricFamily] {
        let status = directory.status
        var skipped = MetricFamily(
            .gauge,
            "neutrino_discovery_skipped_pods",
            "Pods that were found and are not used: by a `mistake` that somebody has to mend, or for `now`."
        )
        skipped.add(status.skipped.count(where: \.isMistake), [.init("why", "mistake")])
        skipped.add(status.skipped.count { !$0.isMistake }, [.init("why", "now")])
        return [
            .gauge(
                "neutrino_discovery_problem",
                "1 while something keeps the gateway from finding pods: the last known ones stay.",
                status.problem != nil
            ),
            skipped,
        ]
    }
}
