import HTTPTypes

/// Which methods a path has: what tells a call that there is not from one with the wrong method (RFC 9110 §15.5.6).
enum CallTable {
    private static let entries: [(segments: [Substring], method: HTTPRequest.Method)] = AdminDocument
        .calls.map {
            ($0.path.split(separator: "/"), $0.method)
        }

    /// In the order of the document; none for a path that no call has.
    static func methods(of path: String) -> [HTTPRequest.Method] {
        let segments = path.split(separator: "/")
        return entries.filter { matches($0.segments, segments) }
            .flatMap { $0.method == .get ? [.get, .head] : [$0.method] }
    }

    private static func matches(_ template: [Substring], _ path: [Substring]) -> Bool {
        template.count == path.count && zip(template, path).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
    }
}
