import Glibc
import Ingress
import Logging

/// How many files and sockets this process may have open.
enum FileDescriptorLimit {
    /// What the limit can be raised to.
    static var hard: Int { Int(clamping: limits().rlim_max) }

    /// Raises the limit as far as it goes.
    /// - Returns: What it is now.
    static func raise() -> Int {
        var limits = limits()
        limits.rlim_cur = limits.rlim_max
        _ = setrlimit(resource, &limits)
        return Int(clamping: Self.limits().rlim_cur)
    }

    /// Says so where there are too few: each request of a client may take one more for its pod, and bodies and the database theirs.
    static func warn(_ limit: Int, of settings: GatewaySettings, _ logger: Logger) {
        let connections = settings.ingressConfiguration(descriptorLimit: limit).maxConnections
        guard limit < fewest || connections > limit / 10 * 8 else { return }
        logger.warning(
            "few file descriptors: raise their limit (ulimit -n, LimitNOFILE), or set max_connections lower",
            metadata: ["limit": "\(limit)", "max_connections": "\(connections)"]
        )
    }

    /// Below this a gateway of ordinary size will run out.
    private static let fewest = 4096

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    private static func limits() -> rlimit {
        var limits = rlimit()
        getrlimit(resource, &limits)
        return limits
    }
}
