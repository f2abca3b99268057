import Glibc

/// What holds for the whole process, set before anything else.
enum Process {
    /// Ignores SIGPIPE (a client or a reader of standard output that left is an error of one write) and raises the limit of file
    /// descriptors.
    /// - Returns: That limit.
    static func prepare() -> Int {
        signal(SIGPIPE, SIG_IGN)
        return FileDescriptorLimit.raise()
    }

    /// Ends it without waiting for anything.
    static func end(_ code: Int32) {
        _exit(code)
    }
}
