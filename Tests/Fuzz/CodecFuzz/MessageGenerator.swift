/// Makes messages that are mostly valid, with what parsers are known to disagree about, and spoils some. The same seed makes
/// the same bytes.
package struct MessageGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    package mutating func number(below bound: Int) -> Int { Int(next() % UInt64(bound)) }
    package mutating func isTrue(oneIn count: Int) -> Bool { number(below: count) == 0 }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[number(below: elements.count)] }

    // MARK: Requests

    /// One to three requests behind each other.
    package mutating func requests() -> [UInt8] {
        var bytes: [UInt8] = []
        if isTrue(oneIn: 20) { bytes += Array(pick(["\r\n", "\n", "\r\n\r\n", "\r"]).utf8) }
        for _ in 0..<(1 + number(below: 3)) {
            bytes += request()
            if isTrue(oneIn: 20) { bytes += Array(pick(["\r\n", "\n", " ", "\r", "0\r\n\r\n"]).utf8) }
        }
        return spoiled(bytes)
    }

    private mutating func request() -> [UInt8] {
        let method =
            isTrue(oneIn: 8)
            ? pick([
                "PUT", "HEAD", "OPTIONS", "DELETE", "CONNECT", "PRI", "M-SEARCH", "SOURCE", "get", "BREW", "PATCH",
                "LOCK", "DESCRIBE",
            ])
            : pick(["GET", "POST"])
        let target =
            isTrue(oneIn: 6)
            ? pick([
                "*", "http://a/b?c", "HTTPS://a:1", "http://u@a/", "/a#b", "/ä", "//a", "a", "a:80", "/?", "/%zz",
                "http://[::1]/", "?", "/a\\b",
            ])
            : pick(["/", "/a/b", "/v1/infer/x?y=z&q=%20"])
        let version =
            isTrue(oneIn: 10)
            ? pick(["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "http/1.1", "HTTP/1.1 ", "HTTP/01.1"]) : "HTTP/1.1"
        let space = isTrue(oneIn: 60) ? pick(["  ", "\t", ""]) : " "
        var text = method + space + target + " " + version + lineEnd()
        if !isTrue(oneIn: 25) { text += "Host: " + pick(["x", "a.example:8080", "[::1]"]) + lineEnd() }
        text += fields(ofRequest: true)
        return Array(text.utf8) + framed()
    }

    private mutating func lineEnd() -> String {
        isTrue(oneIn: 400) ? pick(["\n", "\r", "\r\r\n", "\n\r", " \r\n"]) : "\r\n"
    }

    private mutating func fields(ofRequest: Bool) -> String {
        var text = ""
        for _ in 0..<number(below: 5) {
            if isTrue(oneIn: 4) {
                text += pick([
                    "Connection: close", "Connection: keep-alive", "Connection: Upgrade", "Connection: close, Upgrade",
                    "Upgrade: h2c",
                    "Proxy-Connection: close", "Proxy-Connection: keep-alive", "Connection: closed",
                    "Connection: x,close ,y",
                    "Connection:", "Connection: keep-alive,close", "Connection: up\tgrade", "Connection: close\t",
                    "Connection: ,close",
                    "Connection: close;x", "Connection: \"close\"", "Expect: 100-continue", "Host: y", "TE: trailers",
                    "Connection: close close", "Connection: keep-alive\t,\tupgrade", "Upgrade:",
                    "Connection: c, upgrade",
                ])
            } else if isTrue(oneIn: 6) {
                text += pick([
                    "A : b", " A: b", "A", ": b", "A:", "A:b", "A:\t b \t", "A: b\tc", "Ä: b", "A: ä", "A: b\u{7f}",
                    "A: \u{1}", "A(: b", "A: b\r\n c",
                    "A: b\rc", "Content-Length : 3", "Content-Length:3", "Transfer-Encoding : chunked",
                    "!#$%&'*+-.^_`|~: ok",
                    "Content_Length: 3", "Content-Length: 3;", "\u{b}Content-Length: 3",
                    "Transfer-Encoding:\u{b}chunked",
                ])
            } else {
                text += pick([
                    "Accept: */*", "User-Agent: some/1.0 (thing)",
                    "X-Long: " + String(repeating: "v", count: number(below: 40)), "x: y",
                ])
            }
            text += lineEnd()
        }
        return text
    }

    /// The rest of a head, with what frames the body, and the body.
    private mutating func framed() -> [UInt8] {
        switch number(below: 10) {
        case 0...2:
            return Array("\r\n".utf8)
        case 3...5:
            let count = number(below: 12)
            let said =
                isTrue(oneIn: 6)
                ? pick([
                    "+\(count)", "-\(count)", "0\(count)", "\(count), \(count)", "\(count) ", "\(count)\t",
                    "\(count) \t", "\t\(count)",
                    "0x\(count)", "\(count).0", "", "\(count + 1)",
                    "99999999999999999999", "\(count) \(count)", "18446744073709551616",
                    "000000000000000000000\(count)",
                ])
                : "\(count)"
            var text = pick(["Content-Length", "content-length", "CONTENT-LENGTH"]) + ": " + said + lineEnd()
            if isTrue(oneIn: 25) { text += "Content-Length: \(pick([count, count + 1]))\r\n" }
            if isTrue(oneIn: 25) { text += "Transfer-Encoding: chunked\r\n" }
            return Array((text + "\r\n").utf8) + body(count)
        default:
            let coding =
                isTrue(oneIn: 6)
                ? pick([
                    "gzip, chunked", "chunked, gzip", "identity", "xchunked", "chunkedx", "chunked,", ",chunked",
                    "chunked;a", "\"chunked\"", "chunked chunked",
                    "chunked\t", "chunked ", "chunked  \t ", "", "chunke", "gzip", "chunked,chunked", " chunked",
                    "ch unked",
                ])
                : pick(["chunked", "Chunked", "CHUNKED"])
            var text = pick(["Transfer-Encoding", "transfer-encoding"]) + ": " + coding + lineEnd()
            if isTrue(oneIn: 25) { text += "Transfer-Encoding: \(pick(["chunked", "gzip", "identity"]))\r\n" }
            if isTrue(oneIn: 25) { text += "Content-Length: 5\r\n" }
            return Array((text + "\r\n").utf8) + chunks()
        }
    }

    private mutating func body(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in isTrue(oneIn: 5) ? pick([13, 10, 0, 255, 48]) : UInt8(97 + number(below: 26)) }
    }

    private mutating func chunks() -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<number(below: 4) {
            let count = 1 + number(below: 20)
            let hex = String(count, radix: 16)
            let size =
                isTrue(oneIn: 15)
                ? pick([
                    "0x" + hex, "+" + hex, " " + hex, hex + " ", "000" + hex, hex + "g", "", "-1",
                    String(count + 1, radix: 16), "ffffffffffffffff", hex + "\t",
                    "10000000000000000" + hex, "0000000000000000000" + hex, "_" + hex, "1e", "7fffffffffffffff",
                ])
                : isTrue(oneIn: 2) ? hex.uppercased() : hex
            let ext =
                isTrue(oneIn: 5)
                ? pick([
                    ";a", ";a=b", ";a=\"b\"", ";a=\"b;\\\"c\"", "; a", ";", ";a=", ";a b", ";a=b c", ";=b", ";a;b=c",
                    ";a=\"", ";a=\"\u{1}\"", ";a=\"b\"c", ";\u{1}", ";a\n", " ;a",
                    ";a=b\"", ";a=\"b\";c", ";a=ä", ";a=\"ä\"", ";a=\"\\", ";a=b=c", ";a=\"b\" ", ";a =b", ";a=\"\t\"",
                    ";a=\"\\\u{1}\"",
                ])
                : ""
            bytes += Array((size + ext + lineEnd()).utf8) + body(count) + Array(lineEnd().utf8)
        }
        bytes +=
            Array((isTrue(oneIn: 30) ? pick(["00", "0;a", "0 ", "", "000000", "0;a=\"b\"", "-0"]) : "0").utf8)
            + Array(lineEnd().utf8)
        if isTrue(oneIn: 4) {
            bytes += Array(
                pick([
                    "Sum: 1\r\n", "A: b\r\nC: d\r\n", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
                    "Connection: close\r\n", "A : b\r\n", "A: b\r\n c\r\n",
                    ":\r\n", "Host: x\r\n", "A:\r\n", "A: \u{1}\r\n", "Upgrade: x\r\nConnection: upgrade\r\n",
                    "Content-Length: x\r\n", "A\r\n", "Proxy-Connection: close\r\n",
                    "Upgrade: x\r\n",
                ]).utf8
            )
        }
        return bytes + Array(lineEnd().utf8)
    }

    // MARK: Answers

    /// Interim heads and an answer, perhaps with something behind it.
    package mutating func answer() -> [UInt8] {
        var bytes: [UInt8] = []
        while isTrue(oneIn: 8) {
            let line = "HTTP/1.\(isTrue(oneIn: 10) ? "0" : "1") \(pick(["100", "102", "103", "199", "101"])) X\r\n"
            bytes += Array((line + (isTrue(oneIn: 3) ? fields(ofRequest: false) : "") + "\r\n").utf8)
        }
        let version =
            isTrue(oneIn: 10)
            ? pick(["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/1", "ICY", "http/1.1"]) : "HTTP/1.1"
        let status =
            isTrue(oneIn: 5)
            ? pick(["204", "304", "999", "099", "20", "2000", "abc", "205", "301", "600", "1000", "000"]) : "200"
        let reason =
            isTrue(oneIn: 5)
            ? pick(["", " ", " Not Found", " a\tb", " ä", " \u{1}", "OK", "  OK", " O\rK", " \u{7f}"]) : " OK"
        bytes += Array(
            (version + (isTrue(oneIn: 50) ? "  " : " ") + status + reason + lineEnd() + fields(ofRequest: false)).utf8
        )
        bytes += isTrue(oneIn: 6) ? Array("\r\nuntil the end".utf8) : framed()
        if isTrue(oneIn: 8) { bytes += Array(pick(["\r\n", "x", "HTTP/1.1 200 OK\r\n\r\n"]).utf8) }
        return spoiled(bytes)
    }

    // MARK: Spoiling

    private static let delicate: [UInt8] = [
        0, 9, 10, 11, 12, 13, 32, 34, 35, 44, 45, 48, 49, 57, 58, 59, 61, 67, 72, 92, 97, 102, 127, 128, 195, 255,
    ]

    /// Changes a few bytes of one message in three.
    mutating func spoiled(_ bytes: [UInt8]) -> [UInt8] {
        guard isTrue(oneIn: 3) else { return bytes }
        var bytes = bytes
        for _ in 0..<(1 + number(below: 3)) where !bytes.isEmpty {
            let place = number(below: bytes.count)
            switch number(below: 6) {
            case 0: bytes[place] = pick(Self.delicate)
            case 1: bytes[place] = UInt8(number(below: 256))
            case 2: bytes.insert(pick(Self.delicate), at: place)
            case 3: bytes.remove(at: place)
            case 4: bytes.removeSubrange(place..<min(place + number(below: 8), bytes.count))
            default:
                let end = min(place + 1 + number(below: 20), bytes.count)
                bytes.insert(contentsOf: bytes[place..<end], at: number(below: bytes.count))
            }
        }
        return bytes
    }

    /// Cuts bytes into pieces, many of them short.
    package mutating func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var start = 0
        let longest = pick([1, 3, 10, 40, 1000])
        while start < bytes.count {
            let end = min(start + 1 + number(below: longest), bytes.count)
            pieces.append(Array(bytes[start..<end]))
            start = end
        }
        return pieces
    }
}
