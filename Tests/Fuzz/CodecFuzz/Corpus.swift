package import Foundation

/// A request of `Tests/Fuzz/corpus`. A line there is `name | statuses | bytes`; `corpus.py` beside it reads the same.
package struct CorpusCase: Sendable, CustomStringConvertible {
    package var name: String
    /// The first answer's status.
    package var status: Int
    package var bytes: [UInt8]

    package var description: String { name }

    /// All cases of a folder, in the order of its files and their lines.
    package static func read(_ folder: URL) throws -> [CorpusCase] {
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        var cases: [CorpusCase] = []
        for file in files.sorted(by: { $0.path < $1.path }) where file.pathExtension == "txt" {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where !line.hasPrefix("#")
            {
                let parts = line.split(separator: " | ", maxSplits: 2, omittingEmptySubsequences: false)
                guard parts.count == 3, let status = Int(parts[1].prefix { $0 != " " }),
                    let bytes = unescape(String(parts[2]))
                else { throw CorpusError(description: "\(file.lastPathComponent): \(line)") }
                cases.append(CorpusCase(name: String(parts[0]), status: status, bytes: bytes))
            }
        }
        return cases
    }

    /// Undoes `\r`, `\n`, `\t`, `\\`, `\x00` and `<<text*count>>`; nil where it is not that.
    static func unescape(_ text: String) -> [UInt8]? {
        let long = text.replacing(/<<(.*?)\*(\d+)>>/) { match in
            String(repeating: String(match.1), count: Int(match.2) ?? 0)
        }
        var bytes: [UInt8] = []
        var rest = Array(long.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            switch rest.popFirst() {
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "t"): bytes.append(9)
            case UInt8(ascii: "\\"): bytes.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "x"):
                guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            default: return nil
            }
        }
        return bytes
    }
}

package struct CorpusError: Error, CustomStringConvertible {
    package var description: String
}
