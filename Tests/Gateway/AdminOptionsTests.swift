import ArgumentParser
import Foundation
import Testing

@testable import Gateway

@Suite("What commands are told about the gateway")
struct AdminOptionsTests {
    private func fleet(_ arguments: [String], _ environment: [String: String] = [:]) throws -> AdminFleet {
        try AdminOptions.parse(arguments).fleet(environment: environment)
    }

    private func problem(_ arguments: [String], _ environment: [String: String] = [:]) -> GatewayError? {
        #expect(throws: GatewayError.self) { try fleet(arguments, environment) }
    }

    @Test(
        "a gateway is named by its URL, with or without the rest of what a browser shows",
        arguments: [
            ("http://127.0.0.1:9090", "http://127.0.0.1:9090"), ("127.0.0.1:9090", "http://127.0.0.1:9090"),
            ("http://localhost:9090/admin#requests", "http://localhost:9090"),
            ("HTTPS://Ops.example", "https://Ops.example"),
            ("http://[::1]:9090/", "http://[::1]:9090"),
        ]
    )
    func urls(text: String, base: String) {
        #expect(AdminOptions.base(text) == base)
    }

    @Test(
        "what is none is refused",
        arguments: ["", "ftp://a", "http://", "http://user:secret@a", "a b", "http://a:x"]
    )
    func noURLs(text: String) {
        #expect(AdminOptions.base(text) == nil)
    }

    @Test("the flag goes before the variable, and both before the default; several are told apart by their names")
    func precedence() throws {
        #expect(try fleet([]).gateways.map(\.url) == ["http://127.0.0.1:9090"])
        #expect(try fleet([], ["ADMIN_URL": "http://a:1, http://b:2"]).gateways.map(\.name) == ["a:1", "b:2"])
        #expect(try fleet(["--admin-url", "http://c"], ["ADMIN_URL": "http://a"]).gateways.map(\.url) == ["http://c"])
        #expect(problem(["--admin-url", "http://a,http://a"])?.code == .usage)
        #expect(problem(["--admin-url", "ftp://a"])?.message.contains("ftp://a") == true)
        let error = #expect(throws: GatewayError.self) { try fleet([], ["ADMIN_URL": "a,b"]).one(for: "backup") }
        #expect(error?.code == .usage)
    }

    @Test(
        "without a URL it is the gateway that would run with this environment",
        arguments: [
            (["ADMIN_PORT": "9191"], "http://127.0.0.1:9191"),
            (["ADMIN_HOST": "0.0.0.0", "ADMIN_PORT": "9191"], "http://127.0.0.1:9191"),
            (["ADMIN_HOST": "::"], "http://[::1]:9090"), (["ADMIN_HOST": "::1"], "http://[::1]:9090"),
            (["ADMIN_HOST": "[::]"], "http://[::1]:9090"), (["ADMIN_HOST": "[::1]"], "http://[::1]:9090"),
            (["ADMIN_HOST": "ops.example"], "http://ops.example:9090"),
            (["ADMIN_TLS_CERT_FILE": "/c.pem"], "https://127.0.0.1:9090"),
            (["ADMIN_URL": "http://a:1", "ADMIN_PORT": "9191"], "http://a:1"),
        ]
    )
    func ownURL(environment: [String: String], url: String) throws {
        #expect(try fleet([], environment).gateways.map(\.url) == [url])
    }

    @Test("a port that is none is refused, unless a URL is given", arguments: ["0", "tcp://10.0.0.1:9090", "70000"])
    func noPort(port: String) throws {
        #expect(problem([], ["ADMIN_PORT": port])?.message.contains(port) == true)
        #expect(try fleet(["--admin-url", "http://a"], ["ADMIN_PORT": port]).gateways.map(\.url) == ["http://a"])
    }

    @Test("a host that is none is refused, unless a URL is given", arguments: ["a b", "[::1]:9090", "[]"])
    func noHost(host: String) throws {
        #expect(problem([], ["ADMIN_HOST": host])?.message.hasPrefix("admin_host: ") == true)
        #expect(try fleet(["--admin-url", "http://a"], ["ADMIN_HOST": host]).gateways.map(\.url) == ["http://a"])
    }

    @Test("the token comes from a file, or from the environment; the gateway's own file will do")
    func tokens() async throws {
        try await withFolder { folder in
            let path = "\(folder)/token"
            try writeFile("0123456789abcdef\nfedcba9876543210\n", to: path)
            #expect(try fleet(["--admin-token-file", path]).gateways[0].token == "0123456789abcdef")
            #expect(
                try fleet([], ["ADMIN_TOKEN_FILE": path, "ADMIN_TOKEN": "x"]).gateways[0].token == "0123456789abcdef"
            )
            #expect(try fleet([], ["ADMIN_TOKEN": "from-the-environment"]).gateways[0].token == "from-the-environment")
            #expect(try fleet([]).gateways[0].token == nil)
            try writeFile("hunter2", to: path)
            let error = problem(["--admin-token-file", path])
            #expect(error?.code == .usage)
            #expect(error?.message.contains("hunter2") == false)
            #expect(problem(["--admin-token-file", "\(folder)/none"])?.message.contains("none") == true)
        }
    }

    @Test("no flag takes a secret: credentials for a replay come from a file")
    func fields() async throws {
        #expect(throws: (any Error).self) { try AdminOptions.parse(["--admin-token", "x"]) }
        #expect(
            try FieldOptions.parse(["--header", "X-One: 1: a", "--header", "X-Two:2"]).read() == [
                "X-One": "1: a", "X-Two": "2",
            ]
        )
        #expect(try FieldOptions.parse([]).read() == nil)
        for field in ["Authorization: Bearer x", "cookie: a=b", "X_Api_Key: 1", "none", ": x"] {
            let error = #expect(throws: GatewayError.self) { try FieldOptions.parse(["--header", field]).read() }
            #expect(error?.code == .usage)
            #expect(error?.message.contains("Bearer x") == false)
        }
        try await withFolder { folder in
            let path = "\(folder)/fields"
            try writeFile("Authorization: Bearer x\n\nX-One: 1\n", to: path)
            #expect(
                try FieldOptions.parse(["--header-file", path]).read() == ["Authorization": "Bearer x", "X-One": "1"]
            )
        }
    }

    @Test("times are times of day, or how long ago")
    func times() throws {
        let now = Date(timeIntervalSince1970: 1000)
        #expect(try FilterOptions.time("15m", "--since", now) == "1970-01-01T00:01:40.000Z")
        #expect(try FilterOptions.time("2026-11-24T12:00:00Z", "--since", now) == "2026-11-24T12:00:00Z")
        #expect(try FilterOptions.time(nil, "--since", now) == nil)
        for text in ["yesterday", "15", ""] {
            #expect(throws: GatewayError.self) { try FilterOptions.time(text, "--since", now) }
        }
        let query = try FilterOptions.parse(["--state", "failed,expired", "--route", "POST /a"]).query(now: now)
        #expect(query.map(\.0) == ["state", "route"])
    }

    @Test("a name in a path or a query is encoded whole")
    func encoded() {
        #expect(AdminClient.encoded("POST /v1/train?a=ü&b") == "POST%20%2Fv1%2Ftrain%3Fa%3D%C3%BC%26b")
    }
}
