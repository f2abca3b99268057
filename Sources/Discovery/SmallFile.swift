import Glibc

/// Files that discovery reads: lists of pods, kubeconfigs, tokens, certificates.
package enum SmallFile {
    /// The most that is read of one, in bytes.
    package static let maximumBytes = 4 << 20

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Reads a whole file.
    /// - Throws: A ``DiscoveryError`` with the path and what the system says of it.
    package static func bytes(_ path: String) throws(DiscoveryError) -> [UInt8] {
        // Not blocking: a pipe that nobody writes to must not hold up who reads.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw unreadable(path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(path) }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= maximumBytes else {
                throw DiscoveryError(.invalidFile, "\(path) is larger than \(maximumBytes) bytes")
            }
        }
    }

    /// Reads a whole file as UTF-8, without a byte order mark.
    package static func text(_ path: String) throws(DiscoveryError) -> String {
        let bytes = try bytes(path)
        let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        guard let text = String(validating: content, as: UTF8.self) else {
            throw DiscoveryError(.invalidFile, "\(path) is not UTF-8 text")
        }
        return text
    }

    private static func unreadable(_ path: String) -> DiscoveryError {
        DiscoveryError(.invalidFile, "\(path) cannot be read: \(String(cString: strerror(errno)))")
    }
}
