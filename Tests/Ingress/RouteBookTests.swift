import Core
import NIOCore
import OpenAPI
import Testing

@testable import Ingress

@Suite("Routes")
struct RouteBookTests {
    private static let document = """
        openapi: 3.1.0
        servers: [{url: "https://example.org/base"}]
        paths:
          /v1/infer/{model}:
            post:
              x-neutrino-resources: {num_cpus: 2, num_gpus: 1, memory_gb: 16}
              x-neutrino-hold-timeout: 5
              x-neutrino-max-concurrency: 3
            get: {}
          /v1/infer/fast:
            post:
              x-neutrino-retry: always
              x-neutrino-max-concurrency: 7
        """

    private func table(_ rules: [RouteRule], _ defaults: RouteDefaults = RouteDefaults()) throws -> RouteTable {
        try RouteBook().load(document: document(Self.document), rules: rules, defaults: defaults)
    }

    private func document(_ text: String) throws -> OpenAPIDocument {
        try OpenAPIDocument.parse(Array(text.utf8), file: "api.yaml")
    }

    private func id(_ table: RouteTable, _ method: RequestMethod, _ target: String) -> String {
        table.route(for: ByteBuffer(string: target), method).id
    }

    @Test("Requests find the operation of their path and method, HEAD that of GET, and others the default")
    func matching() throws {
        let table = try table([RouteRule(method: "PUT", path: "/files/{name}.json"), RouteRule(path: "/any/{x}")])
        let cases: [(RequestMethod, String, String)] = [
            (.post, "/v1/infer/llama?x=1", "POST /v1/infer/{model}"), (.post, "/v1/infer/fast", "POST /v1/infer/fast"),
            (.get, "/v1/infer/fast", "GET /v1/infer/{model}"), (.head, "/v1/infer/llama", "GET /v1/infer/{model}"),
            (.post, "/base/v1/infer/llama", "POST /v1/infer/{model}"),
            (.post, "/v1/inf%65r/llama", "POST /v1/infer/{model}"),
            (.delete, "/v1/infer/llama", "default"), (.post, "/v1/infer/a%2Fb", "POST /v1/infer/{model}"),
            (.post, "/v1/infer/llama/", "POST /v1/infer/{model}"), (.post, "/v1//infer/fast", "POST /v1/infer/fast"),
            (.post, "/v1/./infer/llama", "POST /v1/infer/{model}"),
            (.post, "/v1%2Finfer/fast", "POST /v1/infer/fast"),
            (.post, "/x/../v1/infer/fast?y", "POST /v1/infer/fast"),
            (.put, "/files/a.json", "PUT /files/{name}.json"),
            (.patch, "/any/1", "* /any/{x}"), (.options, "*", "default"),
        ]
        for (method, target, expected) in cases {
            #expect(id(table, method, target) == expected, "\(method) \(target)")
        }
    }

    @Test("Each value comes from the strongest that says it, and tells where from")
    func overlay() throws {
        var defaults = RouteDefaults()
        defaults.holdTimeout = Setting(.seconds(44), from: .configuration)
        let table = try table(
            [
                RouteRule(
                    method: "POST",
                    path: "/v1/infer/{anything}",
                    gpus: 2,
                    requestTimeout: .seconds(9),
                    maxConcurrency: 2
                ),
                RouteRule(path: "/v1/infer/{m}", memoryGB: 0.5, holdTimeout: .seconds(6), retry: .never),
            ],
            defaults
        )
        let infer = table.route(for: ByteBuffer(string: "/v1/infer/x"), .post)
        #expect(infer.id == "POST /v1/infer/{model}")
        #expect(infer.needs == ResourceVector(cpus: 2000, gpus: 2000, memory: 500))
        #expect(infer.needsSource == .configuration)
        #expect(infer.holdTimeout == Setting(.seconds(6), from: .configuration))
        #expect(infer.requestTimeout == Setting(.seconds(9), from: .configuration))
        #expect(infer.retry == Setting(.never, from: .configuration))
        #expect(infer.maxConcurrency == Setting(2, from: .configuration))

        let fast = table.route(for: ByteBuffer(string: "/v1/infer/fast"), .post)
        #expect(fast.retry == Setting(.always, from: .openapi))
        #expect(fast.maxConcurrency == Setting(7, from: .openapi))
        #expect(fast.needs == defaults.needs)
        #expect(fast.needsSource == .default)
        #expect(fast.holdTimeout == Setting(.seconds(44), from: .configuration))

        let general = table.route(for: ByteBuffer(string: "/v1/infer/x"), .delete)
        #expect(general.id == "* /v1/infer/{m}")
        #expect(general.maxConcurrency == Setting(nil, from: .default))
        #expect(general.needs == ResourceVector(cpus: 1000, gpus: 0, memory: 500))
        #expect(table.default.id == "default")
        #expect(table.default.key == 0)
    }

    @Test("A rule may name an operation by its path behind a server's base path")
    func basePath() throws {
        let table = try table([RouteRule(method: "POST", path: "/base/v1/infer/fast", cpus: 7)])
        #expect(id(table, .post, "/v1/infer/fast") == "POST /v1/infer/fast")
        #expect(table.route(for: ByteBuffer(string: "/base/v1/infer/fast"), .post).needs.cpus == 7000)
        #expect(table.routes.count == 4)
    }

    @Test("Keys stay with their ids over reloads, and readers see the new table")
    func reload() throws {
        let book = RouteBook()
        var snapshot = RouteSnapshot(of: book)
        #expect(snapshot.current.routes.map(\.id) == ["default"])
        func keys(_ rules: [RouteRule]) throws -> [String: Int] {
            let table = try book.load(document: nil, rules: rules, defaults: RouteDefaults())
            return Dictionary(uniqueKeysWithValues: table.routes.map { ($0.id, $0.key) })
        }
        #expect(try keys([RouteRule(path: "/a"), RouteRule(path: "/b")]) == ["default": 0, "* /a": 1, "* /b": 2])
        #expect(try keys([RouteRule(path: "/c"), RouteRule(path: "/b")]) == ["default": 0, "* /c": 3, "* /b": 2])
        #expect(snapshot.current === book.current)
        #expect(try keys([RouteRule(path: "/a")]) == ["default": 0, "* /a": 1])
        #expect(snapshot.current.routes.count == 2)
    }

    @Test(
        "A rule that cannot be is refused in words, and the last good table stays",
        arguments: [
            [RouteRule(method: "FETCH", path: "/a")], [RouteRule(path: "a")], [RouteRule(path: "/{")],
            [RouteRule(path: "/{a}"), RouteRule(path: "/{b}")], [RouteRule(path: "/a", gpus: -1)],
            [RouteRule(path: "/a", cpus: .nan)], [RouteRule(path: "/a/*")], [RouteRule(path: "/**/b")],
            [RouteRule(path: "/health")], [RouteRule(method: "GET", path: "/ready")],
            [RouteRule(path: "/capacity")], [RouteRule(path: "/_pod/{x}")],
        ]
    )
    func refused(_ rules: [RouteRule]) throws {
        let book = RouteBook()
        try book.load(document: nil, rules: [RouteRule(path: "/good")], defaults: RouteDefaults())
        let error = #expect(throws: IngressError.self) {
            try book.load(document: nil, rules: rules, defaults: RouteDefaults())
        }
        #expect(error?.code == .invalidRoutes)
        #expect(error?.message.hasPrefix("routes: ") == true)
        #expect(book.current.routes.map(\.id) == ["default", "* /good"])
    }

    @Test("There is a bound on the routes of a process's life, since keys are never given again")
    func bound() throws {
        let book = RouteBook(maximumRoutes: 4)
        func load(_ paths: [String]) throws {
            try book.load(document: nil, rules: paths.map { RouteRule(path: $0) }, defaults: RouteDefaults())
        }
        #expect(throws: IngressError.self) { try load(["/a", "/b", "/c", "/d"]) }
        try load(["/a", "/b", "/c"])
        let error = #expect(throws: IngressError.self) { try load(["/a", "/e"]) }
        #expect(error?.message.contains("restart") == true)
        #expect(book.current.routes.count == 4)
    }
}
