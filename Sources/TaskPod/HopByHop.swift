import Core
import NIOCore

/// The fields that end at each hop (RFC 9110 §7.6.1).
extension HeaderFields {
    /// Removes them, and those that `Connection` names. `Content-Length` stays.
    mutating func removeHopByHop() {
        let named = values("connection")
        removeAll { name, _ in
            if Self.hopByHop.contains(where: { name.equalsIgnoringCase($0) }) { return true }
            return named.contains { list in
                var list = list
                return list.withUTF8 { bytes in
                    var isNamed = false
                    UnsafeRawBufferPointer(bytes).forEachListMember {
                        if $0.equalsIgnoringCase(name) { isNamed = true }
                    }
                    return isNamed
                }
            }
        }
    }

    private static let hopByHop: [StaticString] = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]
}
