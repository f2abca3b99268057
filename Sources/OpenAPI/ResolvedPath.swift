/// A path as servers understand it that resolve what they are sent: decoded once, `%2F` too, without empty and dot segments
/// (RFC 3986 §5.2.4) and without a slash at its end.
package enum ResolvedPath {
    /// Whether a path may be another one than it is written as: percent-encoding, `//`, a segment that begins with `.`, a slash at its end.
    package static func differs(from path: UnsafeRawBufferPointer) -> Bool {
        for index in 0..<path.count {
            switch path[index] {
            case UInt8(ascii: "%"): return true
            case UInt8(ascii: "/"):
                guard index + 1 < path.count else { return index > 0 }
                if path[index + 1] == UInt8(ascii: "/") || path[index + 1] == UInt8(ascii: ".") { return true }
            default: break
            }
        }
        return false
    }

    /// Resolves a path without its query. For what is not the hot path: it allocates.
    package static func of(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var decoded = Array(path)
        let count = decoded.withUnsafeMutableBytes { buffer in
            PercentEncoding.undo(UnsafeRawBufferPointer(buffer), into: buffer, separators: true)
        }
        var segments: [ArraySlice<UInt8>] = []
        for part in decoded[..<count].split(separator: UInt8(ascii: "/")) {
            switch part {
            case [UInt8(ascii: ".")]: continue
            case [UInt8(ascii: "."), UInt8(ascii: ".")]: _ = segments.popLast()
            default: segments.append(part)
            }
        }
        guard !segments.isEmpty else { return [UInt8(ascii: "/")] }
        var resolved: [UInt8] = []
        resolved.reserveCapacity(count)
        for segment in segments {
            resolved.append(UInt8(ascii: "/"))
            resolved += segment
        }
        return resolved
    }
}
