package import Core
package import NIOCore

/// What is changed of a request before it is sent again, checked: it can be written to a pod as it is.
package struct ReplayEdits: Sendable {
    /// A field to put in place of the row's of that name; without a value, to leave out.
    package struct Field: Sendable, Equatable {
        package var name: String
        package var value: String?

        package init(name: String, value: String?) {
            self.name = name
            self.value = value
        }
    }

    /// Of the path and query.
    package static let longestTarget = 16 * 1024
    /// Of names and values together.
    package static let longestFields = 48 * 1024
    package static let mostFields = 100
    package static let longestBody = 4 << 20

    package let method: RequestMethod?
    /// Path and query.
    package let target: ByteBuffer?
    package let fields: [Field]
    /// Empty: none.
    package let body: ByteBuffer?

    /// Nothing is changed.
    package static let none = ReplayEdits()

    private init() {
        method = nil
        target = nil
        fields = []
        body = nil
    }

    /// - Parameter method: In any case.
    /// - Throws: ``ReplayRefusal`` that says what cannot be sent, and what is accepted.
    package init(
        method: String? = nil,
        target: String? = nil,
        fields: [Field] = [],
        body: ByteBuffer? = nil
    ) throws(ReplayRefusal) {
        self.method = try method.map { name throws(ReplayRefusal) in
            guard let method = RequestMethod(rawValue: name.uppercased()) else {
                throw ReplayRefusal(
                    .invalid,
                    "`method` is \(name.prefix(32).debugDescription); accepted are those of HTTP"
                )
            }
            return method
        }
        if let target { try Self.check(target: target) }
        self.target = target.map { ByteBuffer(string: $0) }
        guard fields.count <= Self.mostFields,
            fields.reduce(0, { $0 + $1.name.utf8.count + ($1.value ?? "").utf8.count }) <= Self.longestFields
        else {
            throw ReplayRefusal(
                .invalid,
                "`headers` has too much; accepted are \(Self.mostFields) fields of \(Self.longestFields) bytes together"
            )
        }
        for field in fields { try Self.check(field) }
        self.fields = fields
        guard (body?.readableBytes ?? 0) <= Self.longestBody else {
            throw ReplayRefusal(.invalid, "the body is over the \(Self.longestBody) bytes that are accepted")
        }
        self.body = body
    }

    /// Whether it goes elsewhere than the request did.
    package var changesRoute: Bool { method != nil || target != nil }

    /// Names that are given a value, in lower case.
    package var suppliedNames: Set<String> { Set(fields.filter { $0.value != nil }.map { $0.name.lowercased() }) }

    /// The row's fields with these in their place.
    package func applied(to fields: HeaderFields) -> HeaderFields {
        var changed = fields
        for field in self.fields {
            let name = Array(field.name.utf8)
            changed.removeAll { line, _ in name.withUnsafeBytes { line.equalsIgnoringCase($0) } }
        }
        for field in self.fields {
            if let value = field.value { changed.append(field.name, value) }
        }
        return changed
    }

    // MARK: Checks

    /// A path of the gateway's pods: nothing that names another host (RFC 9112 §3.2.1).
    private static func check(target: String) throws(ReplayRefusal) {
        guard target.hasPrefix("/"), target.utf8.count <= longestTarget,
            target.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
        else {
            throw ReplayRefusal(
                .invalid,
                "`path` is \(target.prefix(100).debugDescription); accepted is a path with its query, percent-encoded, from `/` on"
            )
        }
    }

    /// A name is a token, and a value holds no control characters nor space around it (RFC 9110 §5.1, §5.5).
    private static func check(_ field: Field) throws(ReplayRefusal) {
        guard !field.name.isEmpty, field.name.utf8.allSatisfy(isTokenByte), isValue(field.value ?? "") else {
            throw ReplayRefusal(
                .invalid,
                "`headers` has a field that cannot be sent: \(field.name.prefix(100).debugDescription)"
            )
        }
        let name = field.name.lowercased().replacing("_", with: "-")
        guard !own.contains(name), !name.hasPrefix("neutrino-"), name != "host" || field.value != nil else {
            throw ReplayRefusal(.invalid, "`headers` has \(field.name), which the gateway itself sets")
        }
    }

    /// What frames the message or belongs to one connection: written by the transport alone, so that nobody can smuggle a request.
    private static let own: Set<String> = [
        "connection", "content-length", "expect", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    ]

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func isValue(_ value: String) -> Bool {
        let bytes = value.utf8
        let isClear = bytes.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }
        let edges = [bytes.first, bytes.last].compactMap { $0 }
        return isClear && !edges.contains { $0 == 0x09 || $0 == 0x20 }
    }
}
