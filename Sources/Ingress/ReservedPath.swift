import Core
import NIOCore

/// Paths that are the gateway's own, or that clients cannot reach through it.
enum ReservedPath: Equatable {
    case health
    case ready
    /// The pods' `/capacity`.
    case capacity
    /// The pods' `/_requests/`.
    case requests
    /// `/admin` and what is below it: reserved only as long as no route claims it.
    case admin

    /// Looks at a request's target. The gateway's own two are taken as they are spelled; the pods' internals also where a pod would
    /// understand another spelling of them (percent-encoding, doubled slashes, `.` and `..` segments).
    init?(_ target: ByteBuffer) {
        let found = target.withUnsafeReadableBytes { bytes -> ReservedPath? in
            var end = 0
            var isPlain = true
            while end < bytes.count, bytes[end] != UInt8(ascii: "?") {
                switch bytes[end] {
                case UInt8(ascii: "%"): isPlain = false
                case UInt8(ascii: "/") where end + 1 < bytes.count:
                    if bytes[end + 1] == UInt8(ascii: "/") || bytes[end + 1] == UInt8(ascii: ".") { isPlain = false }
                default: break
                }
                end += 1
            }
            let path = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            if isPlain { return Self.match(path) }
            let hidden = Self.resolved(path).withUnsafeBytes { Self.match($0) }
            return hidden == .health || hidden == .ready ? nil : hidden
        }
        guard let found else { return nil }
        self = found
    }

    private static func match(_ path: UnsafeRawBufferPointer) -> ReservedPath? {
        guard path.count > 1 else { return nil }
        switch path[1] {
        case UInt8(ascii: "h"): return path.equals("/health") ? .health : nil
        case UInt8(ascii: "r"): return path.equals("/ready") ? .ready : nil
        case UInt8(ascii: "c"): return path.equals("/capacity") || path.equals("/capacity/") ? .capacity : nil
        case UInt8(ascii: "_"): return path.equals("/_requests") || path.begins("/_requests/") ? .requests : nil
        case UInt8(ascii: "a"): return path.equals("/admin") || path.begins("/admin/") ? .admin : nil
        default: return nil
        }
    }

    /// The path decoded once, without empty and dot segments (RFC 3986 §5.2.4).
    private static func resolved(_ path: UnsafeRawBufferPointer) -> [UInt8] {
        var decoded: [UInt8] = []
        var index = 0
        while index < path.count {
            if path[index] == UInt8(ascii: "%"), index + 2 < path.count, let high = digit(path[index + 1]),
                let low = digit(path[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(path[index])
                index += 1
            }
        }
        var segments: [ArraySlice<UInt8>] = []
        let parts = decoded.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for part in parts {
            switch part {
            case [], [UInt8(ascii: ".")]: continue
            case [UInt8(ascii: "."), UInt8(ascii: ".")]: _ = segments.popLast()
            default: segments.append(part)
            }
        }
        let isFolder = parts.last?.isEmpty == true
        return segments.reduce(into: []) { $0 += [UInt8(ascii: "/")] + $1 } + (isFolder ? [UInt8(ascii: "/")] : [])
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func equals(_ text: StaticString) -> Bool { count == text.utf8CodeUnitCount && begins(text) }

    fileprivate func begins(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount where self[index] != text.utf8Start[index] { return false }
        return true
    }
}
