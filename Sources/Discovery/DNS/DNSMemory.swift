import Core

/// The pods that a name had last, and since when it, or a target of its services, has none. No I/O, no clock.
struct DNSMemory: Sendable {
    let patience: Duration
    private(set) var pods: [PodDescription] = []
    /// Since the beginning.
    var time = Duration.zero
    private var emptySince: Duration?
    /// Of targets of services.
    private var goneSince: [String: Duration] = [:]

    init(patience: Duration) { self.patience = patience }

    /// Whether pods are kept that the name, or their target, has no more.
    var isWaiting: Bool {
        !pods.isEmpty && (emptySince != nil || goneSince.values.contains { time - $0 < patience })
    }

    /// - Parameter gone: Targets of services that have no addresses.
    /// - Returns: The pods to use now, in order, and what is wrong.
    mutating func take(
        _ found: [PodDescription],
        gone: Set<String> = [],
        name: String
    ) -> (pods: [PodDescription], problem: String?) {
        goneSince = Dictionary(uniqueKeysWithValues: gone.map { ($0, goneSince[$0] ?? time) })
        let found =
            found + pods.filter { pod in pod.name.flatMap { goneSince[$0] }.map { time - $0 < patience } ?? false }
        let problem = Self.problem(gone, name)
        if !found.isEmpty {
            emptySince = nil
            // Two targets of a service may have one address and port, which is one pod: by the name that comes first, so that it stays.
            pods = Dictionary(found.map { ($0.id, $0) }) { ($0.name ?? "") <= ($1.name ?? "") ? $0 : $1 }
                .values.sorted { $0.id < $1.id }
            return (pods, gone.isEmpty ? nil : problem)
        }
        // Pods of targets have been kept for as long as they are.
        let since = emptySince ?? goneSince.values.min() ?? time
        emptySince = since
        if time - since >= patience { pods = [] }
        return (pods, problem)
    }

    private static func problem(_ gone: Set<String>, _ name: String) -> String {
        guard let first = gone.min() else {
            return "\(quoted(name)) has no addresses: there is no such name, or nothing behind it"
        }
        let others = gone.count == 1 ? "" : ", nor have \(gone.count - 1) more targets"
        return
            "\(quoted(first)), a target of \(quoted(name)), has no addresses\(others): there is no such name, or nothing behind it"
    }
}
