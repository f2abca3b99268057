import Core

/// The pods that a name had last, and since when it has none. No I/O, no clock.
struct DNSMemory: Sendable {
    let patience: Duration
    private(set) var pods: [PodDescription] = []
    /// Since the beginning.
    var time = Duration.zero
    private var emptySince: Duration?

    init(patience: Duration) { self.patience = patience }

    /// Whether pods are kept that the name has no more.
    var isWaiting: Bool { emptySince != nil && !pods.isEmpty }

    /// - Returns: The pods to use now, in order, and what is wrong.
    mutating func take(_ found: [PodDescription], name: String) -> (pods: [PodDescription], problem: String?) {
        if !found.isEmpty {
            emptySince = nil
            // Two targets of a service may have one address and port, which is one pod: by the name that comes first, so that it stays.
            pods = Dictionary(found.map { ($0.id, $0) }) { ($0.name ?? "") <= ($1.name ?? "") ? $0 : $1 }
                .values.sorted { $0.id < $1.id }
            return (pods, nil)
        }
        let since = emptySince ?? time
        emptySince = since
        if time - since >= patience { pods = [] }
        return (pods, "\(quoted(name)) has no addresses: there is no such name, or nothing behind it")
    }
}
