import OpenAPI
import Testing

@testable import Gateway

@Suite("What check prints")
struct CheckReportTests {
    private func report(_ loaded: LoadedConfiguration, _ findings: [EnvironmentFinding] = []) throws -> [String] {
        let routes = Result { () throws(GatewayError) in try RouteSource(loaded).read() }
        return CheckReport(loaded: loaded, routes: routes, findings: findings).text.split(
            separator: "\n",
            omittingEmptySubsequences: false
        ).map(String.init)
    }

    @Test("Every key is there with its value and where it comes from; secrets are masked")
    func settings() throws {
        let loaded = try load(
            ["--gateway-port", "9000", "--config", "g.yaml"],
            environment: ["ADMIN_TOKEN": "0123456789abcdef", "HOLD_TIMEOUT": "90s"],
            files: ["g.yaml": "placement: best_fit"]
        )
        let lines = try report(loaded)
        #expect(lines[0] == "neutrino-gateway \(ProgramVersion.current)")
        #expect(lines.contains("  gateway_port                9000     flag --gateway-port"))
        #expect(lines.contains("  hold_timeout          90                           environment HOLD_TIMEOUT"))
        #expect(lines.contains("  placement             best_fit                     file:g.yaml:1"))
        #expect(lines.contains("  admin_token            (secret)   environment ADMIN_TOKEN"))
        #expect(lines.contains("  admin_read_token       none       default"))
        #expect(!lines.joined().contains("0123456789abcdef"))
        for definition in SettingCatalogue.all {
            #expect(lines.contains { $0.hasPrefix("  \(definition.key) ") })
        }
    }

    @Test("Routes are there with what they need, how long they wait, and where that comes from")
    func routes() throws {
        let yaml =
            "routes: [{method: POST, path: /v1/train, needs: {num_gpus: 1}, hold_timeout: 90, retry: never, max_concurrency: 2}]"
        let loaded = try load(["--config=g", "--request-timeout=60"], files: ["g": yaml])
        let lines = try report(loaded)
        let start = try #require(lines.firstIndex(of: "Routes"))
        #expect(
            lines[(start + 1)..<(start + 3)] == [
                "  default         cpus=1, gpus=0, memory_gb=1 (default)        hold 30 (default)        request 60 (configuration)  retry idempotent (default)   at once any (default)      waiting any (default)",
                "  POST /v1/train  cpus=1, gpus=1, memory_gb=1 (configuration)  hold 90 (configuration)  request 60 (configuration)  retry never (configuration)  at once 2 (configuration)  waiting any (default)",
            ]
        )
    }

    @Test("What was found stands under its heading, problems last")
    func findings() throws {
        let findings = [
            EnvironmentFinding(kind: .problem, message: "p"), EnvironmentFinding(kind: .good, message: "g"),
            EnvironmentFinding(kind: .warning, message: "w"),
        ]
        let lines = try report(try load(), findings)
        #expect(lines.suffix(10) == ["", "Checked", "  g", "", "Warnings", "  w", "", "Problems", "  p", ""])
    }

    @Test("Files and ports are looked at as serve would find them")
    func environment() async throws {
        let loaded = try load([
            "--database-path", "/nowhere/at/all/n.db", "--upstream-ca-file", packagePath("Package.swift"),
            "--gateway-port", "0",
            "--gateway-host", "127.0.0.1", "--admin-port", "0",
        ])
        let findings = await EnvironmentCheck(loaded).run()
        #expect(findings.filter { $0.kind == .problem }.count == 2)
        #expect(
            findings.contains {
                $0.message.hasPrefix("database_path: the folder \"/nowhere/at/all\" cannot be written to")
            }
        )
        #expect(findings.contains { $0.message.hasPrefix("upstream_ca_file: there is no certificate") })
        #expect(findings.contains { $0.kind == .warning && $0.message.hasPrefix("static_backends: no pods") })
        #expect(findings.contains { $0.message == "gateway_port: 127.0.0.1 port 0 is free" })
    }

    @Test("A document that cannot be read is a problem with file and cause, and the rest is printed")
    func document() throws {
        let lines = try report(try load(["--openapi-spec-path", "/nowhere/api.yaml"]))
        #expect(lines.contains("  openapi_spec_path     /nowhere/api.yaml            flag --openapi-spec-path"))
        #expect(!lines.contains("Routes"))
        let problem = try #require(lines.firstIndex(of: "Problems"))
        #expect(lines[problem + 1].hasPrefix("  openapi_spec_path: /nowhere/api.yaml: it cannot be read"))
    }

    @Test("A document's routes are there, and what is likely a mistake in it is a warning")
    func warnings() throws {
        let text = "openapi: 3.1.0\npaths: {/a: {get: {x-neutrino-holdtimeout: 3}}}\n"
        let document = try OpenAPIDocument.parse(Array(text.utf8), file: "api.yaml")
        let routes = try RouteSource(try load(), embedded: document).read()
        let report = CheckReport(loaded: try load(), routes: .success(routes), findings: [])
        #expect(!report.hasProblems)
        #expect(report.text.contains("\n  GET /a   cpus=1"))
        #expect(report.text.contains("Checked\n  openapi_spec_path: api.yaml: OpenAPI 3.1.0, 1 operation\n"))
        #expect(report.text.contains("Warnings\n  "))
    }
}
