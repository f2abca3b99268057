import Core
import OpenAPI
import Testing

@Suite("Reading OpenAPI documents")
struct OpenAPIDocumentTests {
    private static let yaml = """
        openapi: 3.1.0
        info: {title: Inference, version: "1"}
        x-neutrino-hold-timeout: 20
        x-neutrino-max-concurrency: 9
        x-small: &small {num_cpus: 0.5, memory_gb: 1}
        paths:
          /v1/infer/{model}:
            x-neutrino-retry: idempotency-key
            post:
              operationId: infer
              x-neutrino-resources: {num_cpus: 2, num_gpus: 1, memory_gb: 16.0004}
              x-neutrino-request-timeout: 2.5
              x-neutrino-max-concurrency: 1
            get:
              x-neutrino-resources:
                <<: *small
                num_cpus: 0.25
          /v1/embed:
            $ref: "#/components/pathItems/Embed"
            x-neutrino-hold-timeout: 0
          x-internal: {}
        components:
          pathItems:
            Embed:
              x-neutrino-hold-timeout: 99
              x-neutrino-resources: {num_gpus: 1}
              post: {x-neutrino-resources: *small, x-neutrino-retry: never}
              put: {x-neutrino-resources: {memory_gb: null}}
        """

    private static let json = #"""
        {
          "openapi": "3.0.3",
          "info": {"title": "Caf\u00e9 \ud83d\ude00", "version": "1"},
          "paths": {
            "/v1/infer/{model}": {
              "post": {"operationId": "infer", "x-neutrino-resources": {"num_cpus": 2e0, "num_gpus": 1, "memory_gb": 16.5}}
            }
          }
        }
        """#

    private func parse(_ text: String, _ file: String = "api.yaml") throws -> OpenAPIDocument {
        try OpenAPIDocument.parse(Array(text.utf8), file: file)
    }

    private func operation(_ document: OpenAPIDocument, _ method: RequestMethod, _ path: String) throws -> APIOperation
    {
        try #require(document.operations.first { $0.method == method && $0.path.text == path })
    }

    @Test("an operation has its own values, else its path item's, else the document's")
    func defaults() throws {
        let document = try parse(Self.yaml)
        #expect(document.version == "3.1.0")
        #expect(document.operations.count == 4)
        let infer = try operation(document, .post, "/v1/infer/{model}")
        #expect(infer.operationID == "infer")
        #expect(infer.settings.needs == StatedNeeds(cpus: 2000, gpus: 1000, memory: 16001))
        #expect(infer.settings.holdTimeout == .seconds(20))
        #expect(infer.settings.requestTimeout == .milliseconds(2500))
        #expect(infer.settings.retry == .idempotencyKey)
        #expect(infer.settings.maxConcurrency == 1)
        #expect(infer.line == 10)
        let embed = try operation(document, .put, "/v1/embed")
        #expect(embed.settings.needs == StatedNeeds(gpus: 1000))
        #expect(embed.settings.maxConcurrency == 9)
        #expect(embed.operationID == nil)
    }

    @Test("aliases, merge keys and references within the document are followed; what stands beside a reference wins")
    func references() throws {
        let document = try parse(Self.yaml)
        let get = try operation(document, .get, "/v1/infer/{model}")
        #expect(get.settings.needs == StatedNeeds(cpus: 250, memory: 1000))
        let embed = try operation(document, .post, "/v1/embed")
        #expect(embed.settings.needs == StatedNeeds(cpus: 500, gpus: 1000, memory: 1000))
        #expect(embed.settings.holdTimeout == .zero)
        #expect(embed.settings.retry == .never)
        let needs = get.settings.needs.filled(from: ResourceVector(cpus: 1000, gpus: 7, memory: 9))
        #expect(needs == ResourceVector(cpus: 250, gpus: 7, memory: 1000))
    }

    @Test("JSON is read by its name or by how it looks", arguments: ["api.json", "api", "api.yaml", "api.JSON"])
    func json(_ file: String) throws {
        let document = try parse(Self.json, file)
        let infer = try operation(document, .post, "/v1/infer/{model}")
        #expect(infer.settings.needs == StatedNeeds(cpus: 2000, gpus: 1000, memory: 16500))
        #expect(infer.line == 6)
    }

    @Test("a byte order mark, an empty path list and YAML in flow style are read")
    func variants() throws {
        #expect(try parse("\u{feff}openapi: 3.0.0\npaths: {}\n").operations.isEmpty)
        #expect(try parse("{openapi: 3.1.0, info: {title: t}}").operations.isEmpty)
        #expect(try parse("openapi: 3.1\npaths: {/a: {get: {}}}\n").operations.count == 1)
    }

    @Test("paths are matched as written, and behind the path of a server where nothing else is written")
    func servers() throws {
        let document = try parse(
            """
            openapi: 3.0.1
            servers:
              - url: https://{region}.example.org/{base}/
                variables: {region: {default: eu}, base: {default: v1}}
              - url: http://localhost:8000
            paths:
              /infer: {post: {operationId: plain}}
              /v1/infer: {post: {operationId: written}}
              /list: {servers: [{url: /other}], get: {operationId: list}}
              /own: {get: {operationId: own, servers: [{url: "https://b.example/x?y"}]}}
            """
        )
        let matcher = document.matcher { $0.operationID ?? "" }
        #expect(matcher.match("/infer", method: .post) == "plain")
        #expect(matcher.match("/v1/infer", method: .post) == "written")
        #expect(matcher.match("/v1/v1/infer", method: .post) == "written")
        #expect(matcher.match("/other/list", method: .get) == "list")
        #expect(matcher.match("/v1/list", method: .get) == nil)
        #expect(matcher.match("/x/own", method: .head) == "own")
    }

    @Test("an unknown extension of ours is a warning with its place")
    func warnings() throws {
        let document = try parse("openapi: 3.0.0\npaths:\n  /a:\n    get: {x-neutrino-hold_timeout: 5}\n")
        #expect(document.warnings.count == 1)
        #expect(document.warnings.first?.hasPrefix("api.yaml:4:") == true)
        #expect(document.warnings.first?.contains("#/paths/~1a/get/x-neutrino-hold_timeout") == true)
    }

    private static let head = "openapi: 3.0.0\npaths:\n"

    @Test(
        "a broken document is refused with its place, its cause and what is accepted",
        arguments: [
            ("", .syntax, "api.yaml:1:1: it is empty"),
            ("- a\n", .version, "api.yaml:1:1: a list is no OpenAPI document"),
            ("paths: {}\n", .version, "it has no \"openapi\"; OpenAPI 3.0 and 3.1 are read"),
            ("swagger: '2.0'\n", .version, "it says swagger: \"2.0\""),
            ("openapi: 4.0.0\n", .version, "api.yaml:1:10: #/openapi: 4.0.0 is not read"),
            ("openapi: 3.0.0\n", .value, "it has no \"paths\""),
            ("openapi: 3.0.0\npaths: []\n", .value, "api.yaml:2:8: #/paths: a list is not accepted"),
            ("openapi: 3.0.0\npaths: {a: {}}\n", .value, "\"a\" is not accepted: a path begins with \"/\""),
            (head + "  /a: {get: 3}\n", .value, "#/paths/~1a/get: 3 is not accepted; a mapping"),
            (head + "  /a: 3\n", .value, "#/paths/~1a: 3 is not accepted"),
            (head + "  /a: {get: {}}\n  /a: {get: {}}\n", .syntax, "the key \"/a\" is there twice"),
            (head + "  /a: {get: {}\n", .syntax, "api.yaml:4:1: while parsing a flow mapping"),
            (head + "\t/a: {}\n", .syntax, "api.yaml:3:1:"),
            (head + "  /a: *nowhere\n", .syntax, "api.yaml:3:7: found undefined alias"),
            (head + "  ? [a]\n  : {}\n", .syntax, "a key that is a list or a mapping"),
            (
                head + "  /a: {get: {x-neutrino-resources: 3}}\n", .value,
                "a mapping (num_cpus, num_gpus and memory_gb) is"
            ),
            (
                head + "  /a: {get: {x-neutrino-resources: {num_gpu: 1}}}\n", .value,
                "x-neutrino-resources/num_gpu: it is not known; num_cpus, num_gpus, memory_gb are"
            ),
            (
                head + "  /a: {get: {x-neutrino-resources: {num_gpus: -1}}}\n", .value,
                "api.yaml:3:47: #/paths/~1a/get/x-neutrino-resources/num_gpus: -1 is not accepted; a number from 0 to 1000000 is"
            ),
            (head + "  /a: {get: {x-neutrino-resources: {num_gpus: .nan}}}\n", .value, ".nan is not accepted"),
            (head + "  /a: {get: {x-neutrino-resources: {num_gpus: \"1\"}}}\n", .value, "\"1\" is not accepted"),
            (head + "  /a: {get: {x-neutrino-resources: {num_gpus: 1e9}}}\n", .value, "1e9 is not accepted"),
            (head + "  /a: {get: {x-neutrino-resources: {num_gpus: 0x1}}}\n", .value, "0x1 is not accepted"),
            (
                head + "  /a: {x-neutrino-hold-timeout: soon}\n", .value,
                "soon is not accepted; seconds from 0 up to 86400 are"
            ),
            (head + "  /a: {x-neutrino-request-timeout: 0}\n", .value, "seconds over 0 and up to 86400 are"),
            (
                head + "  /a: {get: {x-neutrino-max-concurrency: 1.5}}\n", .value,
                "1.5 is not accepted; a whole number from 1 to 1000000 is"
            ),
            (
                head + "  /a: {get: {x-neutrino-retry: sometimes}}\n", .value,
                "sometimes is not accepted; one of idempotent, always, idempotency-key, never is"
            ),
            (head + "  /a: {$ref: other.yaml#/x}\n", .reference, "\"other.yaml#/x\" is not followed"),
            (head + "  /a: {$ref: '#/components/x'}\n", .reference, "\"#/components/x\" is not in the document"),
            (head + "  /a: {$ref: '#/paths/~1b'}\n  /b: {$ref: '#/paths/~1a'}\n", .reference, "in a circle"),
            (
                head + "  /a/{x}: {get: {}}\n  /a/{y}: {get: {}}\n", .ambiguous,
                "api.yaml:4: #/paths/~1a~1{y}: GET /a/{y} and /a/{x} match the same requests (the other is in line 3)"
            ),
            (head + "  /a: {servers: 3}\n", .value, "#/paths/~1a/servers: 3 is not accepted; a list of servers is"),
            (head + "  /a: {servers: [{}]}\n", .value, "#/paths/~1a/servers/0: it has no \"url\""),
        ] as [(String, OpenAPIError.Code, String)]
    )
    func refused(_ text: String, _ code: OpenAPIError.Code, _ message: String) throws {
        let error = try #require(throws: OpenAPIError.self) { try parse(text) }
        #expect(error.code == code)
        #expect(error.description.contains(message), "\(error)")
    }

    @Test(
        "broken JSON is refused with its line and column",
        arguments: [
            ("", "api.json:1:1: it ends where a value is expected"),
            ("{", "api.json:1:2: it ends where a key in double quotes is expected"),
            ("{\n  \"a\": 1,\n}", "api.json:3:1: a key in double quotes is expected"),
            ("{\"a\" 1}", "api.json:1:6: \":\" is expected"),
            ("{\"a\": 01}", "api.json:1:7: a value is expected"),
            ("{\"a\": +1}", "a value is expected"),
            ("{\"a\": 1.}", "a value is expected"),
            ("{\"a\": NaN}", "a value is expected"),
            ("{\"a\": [1 2]}", "\",\" or \"]\" is expected"),
            ("{\"a\": 1} x", "api.json:1:10: the end of the document is expected"),
            ("{\"a\": 1, \"a\": 2}", "api.json:1:10: the key \"a\" is there twice"),
            ("{\"a\n\": 1}", "a control character inside a string; write it as \\u000a"),
            ("{\"a\\x\": 1}", "an unknown escape"),
            ("{\"\\ud800\": 1}", "half of a surrogate pair"),
            ("{\"\\u12g4\": 1}", "four hexadecimal digits"),
            ("{\"a", "a string without its closing quote"),
            ("{\"a\": }", "a value is expected"),
        ]
    )
    func brokenJSON(_ text: String, _ message: String) throws {
        let error = try #require(throws: OpenAPIError.self) { try parse(text, "api.json") }
        #expect(error.code == .syntax)
        #expect(error.description.contains(message), "\(error)")
    }

    @Test("size, depth and what aliases stand for are bounded")
    func bounds() throws {
        var limits = DocumentLimits()
        limits.bytes = 100
        #expect(throws: OpenAPIError.self) {
            try OpenAPIDocument.parse(Array(repeating: 0x20, count: 101), file: "a.yaml", limits: limits)
        }
        let deepJSON = String(repeating: "[", count: 100_000)
        #expect(try #require(throws: OpenAPIError.self) { try parse(deepJSON, "a.json") }.code == .tooLarge)
        let deepYAML = String(repeating: "[", count: 900) + String(repeating: "]", count: 900)
        #expect(try #require(throws: OpenAPIError.self) { try parse(deepYAML, "a.yaml") }.code == .tooLarge)
        var bomb = "openapi: 3.1.0\nx-a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            bomb += "x-a\(level): &a\(level) [\(aliases)]\n"
        }
        let error = try #require(throws: OpenAPIError.self) { try parse(bomb) }
        #expect(error.code == .tooLarge)
        #expect(error.description.contains("every alias counted"), "\(error)")
    }

    /// Yams compares keys by their hashes: this is of 2 to the 60th values.
    @Test("a key that is no text is refused before anyone looks into it")
    func keys() throws {
        var ladder = "openapi: 3.1.0\nx-a0: &a0 [a]\n"
        for level in 1...60 { ladder += "x-a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
        for key in ["*a60 : x", "? [*a60]\n: x", "{*a60 : x}: x", "? {k: *a60}\n: x", "x: {[*a60]: y}", "[x]: y"] {
            let error = try #require(throws: OpenAPIError.self) { try parse(ladder + key + "\n") }
            #expect(error.code == .syntax && error.line == 63, "\(key): \(error)")
            #expect(error.description.contains("a key that is a list or a mapping"), "\(error)")
        }
        // The same anchor may be text later, and text may be a key by its alias.
        let document = try parse("openapi: 3.1.0\npaths: {}\nx-a: &a [b]\nx-b: &a x-c\n*a : d\n? x-d\n: e\n")
        #expect(document.operations.isEmpty)
    }

    @Test("a file that cannot be read is named with its cause")
    func unreadable() throws {
        let missing = try #require(throws: OpenAPIError.self) {
            try OpenAPIDocument.read(path: "/nonexistent/api.yaml")
        }
        #expect(missing.description == "/nonexistent/api.yaml: it cannot be read: No such file or directory")
        let folder = try #require(throws: OpenAPIError.self) { try OpenAPIDocument.read(path: "/tmp") }
        #expect(folder.code == .unreadable)
        let binary = try #require(throws: OpenAPIError.self) {
            try OpenAPIDocument.parse([0xFF, 0xFE], file: "a.json")
        }
        #expect(binary.description == "a.json: it is not UTF-8")
    }
}
