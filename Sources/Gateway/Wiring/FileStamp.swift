import SystemPackage

/// What changes about a file when it is written or replaced: compared to see that it should be read again.
struct FileStamp: Hashable, Sendable {
    private var inode: UInt64 = 0
    private var size: Int64 = 0
    /// When it was written, to the nanosecond. Its bytes: which C module `timespec` is from depends on what else is compiled with this file.
    private var written: [UInt8] = []

    /// The file behind a path, links followed (a Kubernetes ConfigMap is replaced through one); an empty stamp where there is none.
    init(of path: String) {
        guard let status = try? FilePath(path).stat() else { return }
        inode = UInt64(status.inode.rawValue)
        size = status.size
        written = withUnsafeBytes(of: status.st_mtim) { Array($0) }
    }
}
