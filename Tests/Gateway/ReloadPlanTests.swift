import Admin
import Core
import Logging
import Testing

@testable import Gateway

@Suite("What a changed configuration leads to")
struct ReloadPlanTests {
    private func plan(_ old: String, _ new: String, environment: [String: String] = [:]) throws -> ReloadPlan {
        ReloadPlan(
            from: try load(["--config=g"], environment: environment, files: ["g": old]),
            to: try load(["--config=g"], environment: environment, files: ["g": new])
        )
    }

    @Test("Nothing, where nothing changed but the way it is written")
    func nothing() throws {
        let plan = try plan("hold_timeout: 60\nlog_level: info\n", "# the same\nlog_level: INFO\nhold_timeout: 1m\n")
        #expect(plan == ReloadPlan(logLevel: nil, backends: nil, needsRestart: []))
    }

    @Test("A level and pods are taken over, and routes need no restart")
    func reloadable() throws {
        let plan = try plan(
            "log_level: info",
            "log_level: debug\nstatic_backends: [http://a:1]\nroutes: [{path: /a}]"
        )
        #expect(plan.logLevel == .debug)
        #expect(plan.backends?.map(\.url) == ["http://a:1"])
        #expect(plan.needsRestart.isEmpty)
    }

    @Test(
        "No default of routes needs a restart",
        arguments: [
            "hold_timeout: 3", "request_timeout: 3", "default_resources: cpus=2", "openapi_spec_path: b.yaml",
            // The same value, but now configured: the routes tell where it comes from.
            "hold_timeout: 30",
        ]
    )
    func routes(_ line: String) throws {
        let plan = try plan("", line)
        #expect(plan == ReloadPlan())
    }

    @Test("Tokens are taken over whichever key they come from, and only where they changed")
    func tokens() throws {
        let one = "0123456789abcdef"
        let plan = try plan("admin_token: \(one)", "admin_read_token: \(one)")
        #expect(plan == ReloadPlan(tokens: AdminTokens(read: [one])))
        #expect(try self.plan("admin_token: \(one)", "admin_token: \(one)").tokens == nil)
    }

    @Test("Every other key needs a restart, and is named")
    func restart() throws {
        let plan = try plan("", "gateway_port: 1\nnode_id: 7\naccess_log: all\nadmin_allowed_hosts: a")
        #expect(plan.needsRestart == ["gateway_port", "node_id", "admin_allowed_hosts", "access_log"])
    }

    @Test("What a flag or variable overrides does not change with the file")
    func overridden() throws {
        #expect(try plan("log_level: info", "log_level: debug", environment: ["LOG_LEVEL": "error"]).logLevel == nil)
    }

    @Test("Keys that are re-read are those that the plan knows")
    func catalogue() {
        let keys = SettingCatalogue.all.filter(\.isReloadable).map(\.key)
        #expect(
            keys == [
                "openapi_spec_path", "default_resources", "hold_timeout", "request_timeout", "static_backends",
                "admin_token", "admin_token_file", "admin_read_token", "admin_read_token_file", "metrics_token_file",
                "log_level",
            ]
        )
    }
}
