import NIOCore
import SystemPackage

/// Small text files: configuration, tokens, API documents.
package enum TextFile {
    /// The largest that is read.
    static let maximumBytes = 16 << 20

    /// Reads a whole file as UTF-8.
    /// - Throws: ``GatewayError`` that names the path and the cause.
    package static func read(_ path: String) throws -> String {
        do {
            let descriptor = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            return try descriptor.closeAfter {
                var bytes: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 64 << 10)
                while true {
                    let count = try chunk.withUnsafeMutableBytes { try descriptor.read(into: $0) }
                    if count == 0 { break }
                    bytes += chunk[..<count]
                    guard bytes.count <= maximumBytes else {
                        throw GatewayError(
                            .configuration,
                            "\(quoted(path)) is larger than \(ByteSize.format(maximumBytes))"
                        )
                    }
                }
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw GatewayError(.configuration, "\(quoted(path)) is not UTF-8 text")
                }
                return text
            }
        } catch let error as Errno {
            throw GatewayError(.configuration, "cannot read \(quoted(path)): \(error)")
        }
    }
}
