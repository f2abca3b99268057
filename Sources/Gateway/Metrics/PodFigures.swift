import Core
import Dispatcher
import NIOCore
import Telemetry

/// Each pod's figures, by its id.
enum PodFigures {
    static func families(_ pods: [PodSnapshot]) -> [MetricFamily] {
        // One that was found again while it finishes what it had is there twice: the newer one is shown.
        let newest = Dictionary(pods.map { ($0.pod.id, $0) }) { $0.pod.key > $1.pod.key ? $0 : $1 }
        let shown = newest.values.sorted { $0.pod.key < $1.pod.key }
        return counts(shown) + resources(shown) + states(shown) + attempts(shown)
    }

    private static func counts(_ pods: [PodSnapshot]) -> [MetricFamily] {
        [
            .gauge("neutrino_pods", "Pods that discovery knows.", pods.count { !$0.isGone }),
            .gauge("neutrino_pods_routable", "Pods that requests may be sent to now.", pods.count(where: \.isRoutable)),
        ]
    }

    private static func resources(_ pods: [PodSnapshot]) -> [MetricFamily] {
        var capacity = MetricFamily(
            .gauge,
            "neutrino_pod_capacity",
            "What a pod has in all, in whole CPUs, GPUs and GB; not told before its first sample."
        )
        var available = MetricFamily(
            .gauge,
            "neutrino_pod_available",
            "What is free on a pod by the last sample and the leases since, in whole CPUs, GPUs and GB."
        )
        var leased = MetricFamily(
            .gauge,
            "neutrino_pod_leased",
            "What this gateway has placed on a pod, in whole CPUs, GPUs and GB."
        )
        var leases = MetricFamily(.gauge, "neutrino_pod_leases", "Requests that a pod has from this gateway.")
        for pod in pods {
            let label = [MetricFamily.Label("pod", pod.pod.id)]
            if let total = pod.total { capacity.add(total, label) }
            if let free = pod.available { available.add(free, label) }
            leased.add(pod.leased, label)
            leases.add(pod.leases, label)
        }
        return [capacity, available, leased, leases]
    }

    private static func states(_ pods: [PodSnapshot]) -> [MetricFamily] {
        var routable = MetricFamily(.gauge, "neutrino_pod_routable", "1 where requests may be sent to a pod now.")
        var draining = MetricFamily(.gauge, "neutrino_pod_draining", "1 where a pod finishes what it has.")
        var age = MetricFamily(.gauge, "neutrino_pod_sample_age_seconds", "Since a pod's capacity was last sampled.")
        var breaker = MetricFamily(
            .gauge,
            "neutrino_pod_breaker_state",
            "1 for the state that a pod's circuit breaker is in: `closed`, `open` or `half_open`."
        )
        for pod in pods {
            let label = MetricFamily.Label("pod", pod.pod.id)
            routable.add(pod.isRoutable, [label])
            draining.add(pod.isDraining, [label])
            if let sampleAge = pod.sampleAge { age.add(sampleAge.inSeconds, [label]) }
            for state in ["closed", "open", "half_open"] {
                breaker.add(pod.breaker == state, [label, .init("state", state)])
            }
        }
        return [routable, draining, age, breaker]
    }

    private static func attempts(_ pods: [PodSnapshot]) -> [MetricFamily] {
        var attempts = MetricFamily(
            .counter,
            "neutrino_pod_attempts_total",
            "Attempts at a pod that are over, by what became of them."
        )
        var polls = MetricFamily(.counter, "neutrino_pod_polls_total", "Polls of a pod's capacity.")
        var failures = MetricFamily(
            .counter,
            "neutrino_pod_poll_failures_total",
            "Those of them without an answer that could be read."
        )
        for pod in pods {
            let label = MetricFamily.Label("pod", pod.pod.id)
            let counts = pod.counts
            let results = [
                ("answered", counts.answered - counts.serverErrors), ("server_error", counts.serverErrors),
                ("busy", counts.busy), ("connect_failed", counts.connectFailed), ("timeout", counts.timeouts),
                ("reset", counts.resets), ("aborted", counts.aborted),
            ]
            for (result, count) in results { attempts.add(count, [label, .init("result", result)]) }
            polls.add(counts.polls, [label])
            failures.add(counts.pollsFailed, [label])
        }
        return [attempts, polls, failures]
    }
}

extension MetricFamily {
    /// Each resource in whole units.
    fileprivate mutating func add(_ vector: ResourceVector, _ labels: [Label]) {
        for dimension in ResourceDimension.allCases {
            add(Double(vector[dimension]) / 1000, labels + [.init("resource", dimension.rawValue)])
        }
    }
}
