import CSQLite
import Glibc

/// Tells file systems of the network, where locks and shared memory are not what SQLite needs (https://sqlite.org/wal.html: "all
/// processes using a database must be on the same host computer").
enum NetworkFileSystem {
    /// The kind of a path's file system where it is one of the network, nil otherwise.
    static func kind(of path: String) -> String? {
        let magic = UInt32(truncatingIfNeeded: neutrino_file_system_type(path))
        if magic == fuse { return mountType(of: path).flatMap { isNetworkFuse($0) ? $0 : nil } }
        return magics[magic]
    }

    /// FUSE_SUPER_MAGIC: what is behind it only the mount's type tells.
    private static let fuse: UInt32 = 0x6573_5546

    /// `f_type` of statfs(2), from linux/magic.h and the file systems' own sources.
    static let magics: [UInt32: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB2", 0x0102_1997: "9p", 0x5346_414F: "AFS",
        0x7375_7245: "Coda", 0x00C3_6400: "Ceph", 0x0BD0_0BD0: "Lustre", 0x4750_4653: "GPFS", 0x1983_0326: "BeeGFS",
        0x0131_11A8: "IBRIX", 0xAAD7_AAEA: "PanFS", 0x0BD0_0BD1: "Lustre",
    ]

    /// Whether a mount's type is a FUSE file system that has its files elsewhere.
    static func isNetworkFuse(_ type: String) -> Bool {
        let names = [
            "sshfs", "s3fs", "gcsfuse", "goofys", "rclone", "mount-s3", "mountpoint-s3", "blobfuse", "blobfuse2",
            "glusterfs",
            "ceph", "ceph-fuse", "juicefs", "davfs", "curlftpfs", "seaweedfs", "moosefs", "mfs", "nfs", "smbnetfs",
            "alluxio",
        ]
        return names.contains { type == "fuse.\($0)" || type.hasPrefix("fuse.\($0)") }
    }

    /// The type in the line of /proc/self/mountinfo whose mount point is the longest above the path (proc_pid_mountinfo(5)).
    private static func mountType(of path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        let path = String(cString: resolved)
        guard let file = fopen("/proc/self/mountinfo", "re") else { return nil }
        defer { fclose(file) }
        var best: (point: String, type: String)?
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0, let text = line {
            guard let (point, type) = parse(String(cString: text)) else { continue }
            let isAbove = path == point || point == "/" || path.hasPrefix(point + "/")
            if isAbove, point.utf8.count >= best?.point.utf8.count ?? 0 { best = (point, type) }
        }
        return best?.type
    }

    /// A space in a path is written as `\040` there.
    private static func unescaped(_ word: Substring) -> String {
        var rest = word
        var path = ""
        while let backslash = rest.firstIndex(of: "\\") {
            path += rest[..<backslash]
            rest = rest[backslash...].dropFirst()
            guard let code = UInt8(rest.prefix(3), radix: 8) else { continue }
            path.unicodeScalars.append(Unicode.Scalar(code))
            rest = rest.dropFirst(3)
        }
        return path + rest
    }

    /// Mount point and type of a line: the fifth word, and the first after ` - `.
    static func parse(_ line: String) -> (point: String, type: String)? {
        let words = line.split(separator: " ")
        guard words.count > 4, let dash = words.firstIndex(of: "-"), words.index(after: dash) < words.endIndex else {
            return nil
        }
        return (unescaped(words[4]), String(words[words.index(after: dash)]))
    }
}
