import Core
import NIOCore
import OpenAPI

/// Paths that are the gateway's own, or that clients cannot reach through it.
enum ReservedPath: Equatable {
    case health
    case ready
    /// The pods' `/capacity`.
    case capacity
    /// The pods' `/_requests/` and `/_pod/`, which tell of all clients' requests.
    case internals
    /// `/admin` and what is below it: reserved only as long as no route claims it.
    case admin

    /// Looks at a request's target. The gateway's own two are taken as they are spelled; the pods' internals also where a pod would
    /// understand another spelling of them (percent-encoding, doubled slashes, `.` and `..` segments).
    init?(_ target: ByteBuffer) {
        let found = target.withUnsafeReadableBytes { bytes -> ReservedPath? in
            let end = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.count
            let path = UnsafeRawBufferPointer(rebasing: bytes[..<end])
            guard ResolvedPath.differs(from: path) else { return Self.match(path) }
            let hidden = ResolvedPath.of(path).withUnsafeBytes { Self.match($0) }
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
        case UInt8(ascii: "c"): return path.equals("/capacity") ? .capacity : nil
        case UInt8(ascii: "_"):
            let isInternal =
                path.equals("/_requests") || path.begins("/_requests/") || path.equals("/_pod")
                || path.begins("/_pod/")
            return isInternal ? .internals : nil
        case UInt8(ascii: "a"): return path.equals("/admin") || path.begins("/admin/") ? .admin : nil
        default: return nil
        }
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
