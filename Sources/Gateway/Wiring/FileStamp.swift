import Glibc

/// What changes about a file when it is written or replaced: compared to see that it should be read again.
struct FileStamp: Hashable, Sendable {
    private var inode: UInt64 = 0
    private var size: Int64 = 0
    private var seconds = 0
    private var nanoseconds = 0

    /// The file behind a path, links followed (a Kubernetes ConfigMap is replaced through one); an empty stamp where there is none.
    init(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}
