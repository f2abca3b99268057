import Core

/// How pods are found, what keeps the gateway from finding them, and which were found and are not used.
package struct DiscoveryPayload: Codable, Equatable, Sendable {
    /// A pod that gets nothing, and why.
    package struct Skipped: Codable, Equatable, Sendable {
        package var name: String
        package var namespace: String?
        package var node: String?
        package var reason: String
        /// Whether somebody has to mend it; otherwise it passes by itself.
        package var mistake: Bool
    }

    package var mode: String
    /// In words; nil when all is well.
    package var problem: String?
    /// Mistakes first, at most ``limit``.
    package var skipped: [Skipped]

    /// Pods of which it is told why they are not used.
    static let limit = 200

    init(mode: String, _ update: DiscoveryUpdate) {
        self.mode = mode
        problem = update.problem
        let (mistakes, others) = (update.skipped.filter(\.isMistake), update.skipped.filter { !$0.isMistake })
        skipped = (mistakes + others).prefix(Self.limit).map { pod in
            Skipped(
                name: pod.name,
                namespace: pod.namespace,
                node: pod.node,
                reason: pod.reason,
                mistake: pod.isMistake
            )
        }
    }
}
