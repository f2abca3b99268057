import Glibc

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

    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)

    private static func limits() -> rlimit {
        var limits = rlimit()
        getrlimit(resource, &limits)
        return limits
    }
}
