import Foundation
import Glibc

/// A small file system of its own, in memory, that can be filled. Mounting one needs root.
final class SmallDisk: Sendable {
    static let isAllowed: Bool = {
        guard let disk = try? SmallDisk(megabytes: 1) else { return false }
        return FileManager.default.fileExists(atPath: disk.path)
    }()
    static let need = "a file system of its own can be mounted by root only (CAP_SYS_ADMIN)"

    let path: String

    init(megabytes: Int, isReadOnly: Bool = false) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "small-disk-\(UUID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        guard mount("tmpfs", path, "tmpfs", isReadOnly ? UInt(MS_RDONLY) : 0, "size=\(megabytes)m") == 0 else {
            let code = errno
            try? FileManager.default.removeItem(atPath: path)
            throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EPERM)
        }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
        try? FileManager.default.removeItem(atPath: path)
    }

    var folder: URL { URL(filePath: path) }

    private var ballast: String { path + "/ballast" }

    /// Takes all that is free but so many bytes.
    func fill(leaving bytes: Int) throws {
        let descriptor = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw POSIXError(.EIO) }
        defer { close(descriptor) }
        var taken = 0
        var part = try freeBytes() - bytes
        while part >= 4096 {
            if posix_fallocate(descriptor, off_t(taken), off_t(part)) == 0 {
                taken += part
                part = try freeBytes() - bytes
            } else {
                // Others have taken of it meanwhile.
                part /= 2
            }
        }
    }

    private func freeBytes() throws -> Int {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw POSIXError(.EIO) }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    /// Gives back what ``fill(leaving:)`` took.
    func free() { unlink(ballast) }
}
