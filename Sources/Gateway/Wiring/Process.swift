import Glibc

/// What holds for the whole process, set before anything else.
enum Process {
    /// Ignores SIGPIPE (a client or a reader of standard output that left is an error of one write), makes what is created its user's alone,
    /// leaves no core behind, in which clients' credentials would be, and raises the limit of file descriptors.
    /// - Returns: That limit.
    static func prepare() -> Int {
        signal(SIGPIPE, SIG_IGN)
        umask(0o077)
        var core = rlimit()
        let cores = __rlimit_resource_t(RLIMIT_CORE.rawValue)
        if getrlimit(cores, &core) == 0 {
            core.rlim_cur = 0
            _ = setrlimit(cores, &core)
        }
        return FileDescriptorLimit.raise()
    }

    /// Ends it without waiting for anything.
    static func end(_ code: Int32) {
        _exit(code)
    }
}
