import Core
import OpenAPI
import Testing

@Suite("Path matching")
struct PathMatcherTests {
    private func matcher(_ templates: [(RequestMethod?, String)]) throws -> PathMatcher<String> {
        var matcher = PathMatcher<String>()
        for (method, text) in templates {
            let value = "\(method?.rawValue ?? "*") \(text)"
            try matcher.insert(value, at: PathTemplate(text), method: method)
        }
        return matcher
    }

    private static let table: [(RequestMethod, String)] = [
        (.get, "/"), (.get, "/a"), (.get, "/a/"), (.post, "/a/{id}"), (.get, "/a/b"), (.get, "/a/{id}/c"),
        (.get, "/files/{name}.json"), (.get, "/files/{name}"), (.get, "/files/report-{day}.json"),
        (.get, "/v{version}/items/{id}:cancel"), (.get, "/x/{a}-{b}-{c}.tar.gz"), (.get, "/caf\u{e9}/{id}"),
        (.get, "/two/{a}{b}"), (.put, "/%7Euser/{file}"), (.get, "/deep/{a}/y/{b}"), (.get, "/deep/x/{a}/z"),
        (.get, "/dots/.{a}"),
    ]

    @Test(
        "finds the most literal template that matches",
        arguments: [
            (.get, "/", "GET /"),
            (.get, "/?q=/a/b", "GET /"),
            (.get, "/a", "GET /a"),
            (.get, "/a?x=1", "GET /a"),
            (.get, "/a#x", "GET /a"),
            (.get, "/a/", "GET /a/"),
            (.get, "/a/b", "GET /a/b"),
            (.head, "/a/b", "GET /a/b"),
            (.post, "/a/b", "POST /a/{id}"),
            (.get, "/a/b/c", "GET /a/{id}/c"),
            (.get, "/a//c", nil),
            (.post, "/a/", nil),
            (.put, "/a", nil),
            (.get, "/A", nil),
            (.get, "/files/x.json", "GET /files/{name}.json"),
            (.get, "/files/.json", "GET /files/{name}"),
            (.get, "/files/x.jsonl", "GET /files/{name}"),
            (.get, "/files/report-1.json", "GET /files/report-{day}.json"),
            (.get, "/files/report-.json", "GET /files/{name}.json"),
            (.get, "/files/a/b.json", nil),
            (.get, "/v2/items/7:cancel", "GET /v{version}/items/{id}:cancel"),
            (.get, "/v/items/7:cancel", nil),
            (.get, "/v2/items/:cancel", nil),
            (.get, "/x/1-2-3.tar.gz", "GET /x/{a}-{b}-{c}.tar.gz"),
            (.get, "/x/1--2-3.tar.gz", "GET /x/{a}-{b}-{c}.tar.gz"),
            (.get, "/x/1-2.tar.gz", nil),
            (.get, "/x/---.tar.gz", nil),
            (.get, "/x/-----.tar.gz", "GET /x/{a}-{b}-{c}.tar.gz"),
            (.get, "/caf%C3%A9/1", "GET /caf\u{e9}/{id}"),
            (.get, "/caf\u{e9}/1", "GET /caf\u{e9}/{id}"),
            (.get, "/%61/%62", "GET /a/b"),
            (.get, "/a%2Fb", "GET /a/b"),
            (.get, "/a//b", "GET /a/b"),
            (.get, "//a/b?x", "GET /a/b"),
            (.get, "/a/./b", "GET /a/b"),
            (.get, "/a/%2E/b", "GET /a/b"),
            (.get, "/x/../a/b", "GET /a/b"),
            (.get, "/%2e%2e/a/b/.", "GET /a/b"),
            (.get, "/a/x%2F../b", "GET /a/b"),
            (.get, "/a/b/", "GET /a/b"),
            (.get, "/a/b//", "GET /a/b"),
            (.get, "/a/x/..", "GET /a"),
            (.get, "/.", "GET /"),
            // A parameter and a pattern stand for no dot segment.
            (.get, "/a/./c", nil),
            (.get, "/a/b/../c", nil),
            (.post, "/a/b/../x", "POST /a/{id}"),
            (.post, "/a/..", nil),
            (.post, "/a/%2e%2E", nil),
            (.post, "/a/...", "POST /a/{id}"),
            (.get, "/deep/../y/b", nil),
            (.get, "/deep/x/./y/b", "GET /deep/{a}/y/{b}"),
            (.get, "/dots/..", "GET /"),
            (.get, "/dots/.x", "GET /dots/.{a}"),
            (.get, "/a%252Fb", nil),
            (.get, "/A//", nil),
            (.post, "/a//b", "POST /a/{id}"),
            (.get, "/files//x.json", "GET /files/{name}.json"),
            (.post, "/a/b%2Fc", "POST /a/{id}"),
            (.get, "/two/x", "GET /two/{a}{b}"),
            (.put, "/~user/f", "PUT /%7Euser/{file}"),
            (.put, "/%7euser/f%", "PUT /%7Euser/{file}"),
            (.get, "/deep/x/y/1", "GET /deep/{a}/y/{b}"),
            (.get, "/deep/x/y/z", "GET /deep/x/{a}/z"),
            (.options, "*", nil),
            (.get, "", nil),
            (.get, "a", nil),
        ] as [(RequestMethod, String, String?)]
    )
    func finds(_ method: RequestMethod, _ target: String, _ expected: String?) throws {
        let matcher = try matcher(Self.table)
        #expect(matcher.match(target, method: method) == expected)
    }

    @Test("an encoded slash within a parameter is data of it, and no separator where it need not be")
    func encodedSlash() throws {
        let matcher = try matcher([(.get, "/files/{name}"), (.get, "/files/{name}/raw"), (.get, "/jobs/{id}/log")])
        #expect(matcher.match("/files/a%2Fraw", method: .get) == "GET /files/{name}")
        #expect(matcher.match("/files/a%2fb%2Fc/raw", method: .get) == "GET /files/{name}/raw")
        // Nothing else is there: a server that takes it for a separator would run this.
        #expect(matcher.match("/jobs/a%2Flog", method: .get) == "GET /jobs/{id}/log")
    }

    @Test("a method of its own goes before GET for HEAD, and both before any method")
    func methods() throws {
        let matcher = try matcher([(nil, "/a"), (.get, "/a"), (nil, "/b"), (.get, "/c"), (.head, "/c")])
        #expect(matcher.match("/a", method: .get) == "GET /a")
        #expect(matcher.match("/a", method: .head) == "GET /a")
        #expect(matcher.match("/a", method: .purge) == "* /a")
        #expect(matcher.match("/b", method: .head) == "* /b")
        #expect(matcher.match("/c", method: .head) == "HEAD /c")
        #expect(matcher.match("/c", method: .post) == nil)
    }

    @Test(
        "templates that no request can tell apart are refused by name",
        arguments: [
            ("/a/{x}", "/a/{y}", "GET /a/{y} and /a/{x} match the same requests"),
            ("/a", "/a", "GET /a is there twice"),
            ("/f/{n}.json", "/f/{m}.json", "GET /f/{m}.json and /f/{n}.json match the same requests"),
            ("/~u", "/%7Eu", "GET /%7Eu and /~u match the same requests"),
            ("/p/{a}{b}", "/p/{c}", "GET /p/{c} and /p/{a}{b} match the same requests"),
        ]
    )
    func conflicts(_ first: String, _ second: String, _ message: String) throws {
        var matcher = PathMatcher<Int>()
        try matcher.insert(1, at: PathTemplate(first), method: .get)
        let conflict = #expect(throws: PathConflict.self) {
            try matcher.insert(2, at: PathTemplate(second), method: .get)
        }
        #expect(conflict?.description == message)
        #expect(throws: Never.self) { try matcher.insert(3, at: PathTemplate(second), method: .post) }
        #expect(matcher.match(first, method: .get) == 1)
    }

    @Test(
        "what is no template is refused",
        arguments: [
            "", "a/b", "/a/{", "/a/}", "/a/{}", "/a/{x", "/a/{x/y}", "/{a{b}}", "/a?b", "/a#b", "/a b", "/a\u{7f}",
            "/" + String(repeating: "x", count: 9000), String(repeating: "/x", count: 129),
        ]
    )
    func refused(_ text: String) {
        #expect(throws: PathTemplateError.self) { try PathTemplate(text) }
    }

    @Test("a long encoded path matches too")
    func longPath() throws {
        let matcher = try matcher([(.get, "/a/{id}/b")])
        let id = String(repeating: "%41", count: 20_000)
        #expect(matcher.match("/a/\(id)/b", method: .get) == "GET /a/{id}/b")
        #expect(matcher.match("/a/\(id)/c", method: .get) == nil)
    }

    @Test("agrees with a plain search over all templates", arguments: 0..<20)
    func agreesWithModel(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let parts = ["a", "b", "{x}", "p{x}", "{x}q", "p{x}q"]
        var matcher = PathMatcher<[String]>()
        var templates: [[String]] = []
        for _ in 0..<30 {
            let template = (0..<Int.random(in: 1...4, using: &random)).map { _ in parts.randomElement(using: &random)! }
            guard !templates.contains(template) else { continue }
            templates.append(template)
            try matcher.insert(template, at: PathTemplate("/" + template.joined(separator: "/")), method: .get)
        }
        for _ in 0..<300 {
            let path = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                ["a", "b", "c", "p", "pc", "cq", "pcq", "pq"].randomElement(using: &random)!
            }
            let found = matcher.match("/" + path.joined(separator: "/"), method: .get)
            let fitting = templates.filter { template in
                template.count == path.count && zip(template, path).allSatisfy(Self.fits)
            }
            let best = fitting.max { left, right in
                left.map(Self.rank).lexicographicallyPrecedes(right.map(Self.rank))
            }
            #expect(found?.map(Self.rank) == best?.map(Self.rank), "\(path)")
            if let found { #expect(fitting.contains(found)) }
        }
    }

    private static func fits(_ part: String, _ segment: String) -> Bool {
        guard part.contains("{") else { return part == segment }
        let (prefix, suffix) = (part.hasPrefix("p") ? "p" : "", part.hasSuffix("q") ? "q" : "")
        return segment.hasPrefix(prefix) && segment.hasSuffix(suffix) && segment.count > prefix.count + suffix.count
    }

    /// Literal, then patterns by their literal bytes and beginning, then whole parameters.
    private static func rank(_ part: String) -> Int {
        ["{x}": 0, "{x}q": 1, "p{x}": 2, "p{x}q": 3][part] ?? 9
    }
}

/// A small generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
