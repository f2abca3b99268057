package import NIOCore

/// One kind of request of a mix.
package struct RequestKind: Sendable, Hashable {
    package var weight: Int
    package var method: String
    package var path: String
    /// Length of its JSON body; 0 for none.
    package var bodyBytes: Int

    package init(weight: Int = 1, method: String = "POST", path: String = "/", bodyBytes: Int = 493) {
        self.weight = weight
        self.method = method
        self.path = path
        self.bodyBytes = bodyBytes
    }

    /// Reads `WEIGHT,METHOD,PATH[,BODY BYTES]`; nil where it is not that.
    package init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard (3...4).contains(parts.count), let weight = Int(parts[0]), weight > 0, parts[2].hasPrefix("/") else {
            return nil
        }
        guard let bodyBytes = parts.count == 4 ? Int(parts[3]) : 0, bodyBytes >= 0 else { return nil }
        self.init(weight: weight, method: String(parts[1]), path: String(parts[2]), bodyBytes: bodyBytes)
    }
}

/// Which requests are sent, in a random order that a seed fixes.
package struct RequestMix: Sendable {
    package let kinds: [RequestKind]
    private let authority: String
    private let fields: [String]
    private let totalWeight: Int
    /// The whole bytes of each kind, for modes that send the same ones again and again.
    private let prepared: [ByteBuffer]

    /// - Parameter fields: More field lines, `Name: value`, for every request.
    package init(kinds: [RequestKind], target: Target, fields: [String] = []) {
        let kinds = kinds.isEmpty ? [RequestKind()] : kinds
        self.kinds = kinds
        self.authority = target.authority
        self.fields = fields
        totalWeight = kinds.reduce(0) { $0 + $1.weight }
        prepared = kinds.map { Self.bytes(of: $0, authority: target.authority, fields: fields, id: nil) }
    }

    package func pick(by generator: inout SplitMix64) -> Int {
        guard kinds.count > 1 else { return 0 }
        var number = Int(generator.next() % UInt64(totalWeight))
        for (index, kind) in kinds.enumerated() {
            number -= kind.weight
            if number < 0 { return index }
        }
        return kinds.count - 1
    }

    package func bytes(of kind: Int) -> ByteBuffer { prepared[kind] }

    /// The bytes of a request that carries an id of its own, as `X-Load-Id` and in its body.
    package func bytes(of kind: Int, id: String) -> ByteBuffer {
        Self.bytes(of: kinds[kind], authority: authority, fields: fields, id: id)
    }

    private static func bytes(of kind: RequestKind, authority: String, fields: [String], id: String?) -> ByteBuffer {
        var text = "\(kind.method) \(kind.path) HTTP/1.1\r\nHost: \(authority)\r\nAccept: application/json\r\n"
        for field in fields { text += field + "\r\n" }
        if let id { text += "X-Load-Id: \(id)\r\n" }
        guard kind.bodyBytes > 0 else { return ByteBuffer(string: text + "\r\n") }
        let body = body(ofBytes: kind.bodyBytes, id: id ?? "")
        text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        return ByteBuffer(string: text + body)
    }

    /// A call of a language model of a length, or the shortest one that holds the id: routers for models read it, others only pass it on.
    private static func body(ofBytes count: Int, id: String) -> String {
        func call(_ content: String) -> String {
            #"{"model":"m","user":"\#(id)","messages":[{"role":"user","content":"\#(content)"}]}"#
        }
        return call(String(repeating: "x", count: max(0, count - call("").utf8.count)))
    }
}

/// A small fast generator with a seed (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
