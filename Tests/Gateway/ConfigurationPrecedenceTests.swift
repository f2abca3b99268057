import Core
import Ingress
import Testing

@testable import Gateway

@Suite("Where configuration comes from")
struct ConfigurationPrecedenceTests {
    @Test("Flags beat the environment, which beats the file, which beats the defaults")
    func precedence() throws {
        let environment = ["GATEWAY_PORT": "2", "ADMIN_PORT": "2", "HOLD_TIMEOUT": "2"]
        let file = "gateway_port: 3\nadmin_port: 3\nhold_timeout: 3\nmax_queue_depth: 3\n"
        let loaded = try load(
            ["--gateway-port=1", "--config", "g.yaml"],
            environment: environment,
            files: ["g.yaml": file]
        )
        #expect(loaded.settings.gatewayPort == 1)
        #expect(loaded.settings.adminPort == 2)
        #expect(loaded.settings.holdTimeout == .seconds(2))
        #expect(loaded.settings.maxQueueDepth == 3)
        #expect(loaded.settings.nodeID == 0)
        #expect(loaded.origin("gateway_port") == .flag("--gateway-port"))
        #expect(loaded.origin("admin_port") == .environment("ADMIN_PORT"))
        #expect(loaded.origin("max_queue_depth") == .file("g.yaml", line: 4))
        #expect(loaded.origin("node_id") == .default)
    }

    @Test("Each key is read from each of its three places, and reads what it shows", arguments: SettingCatalogue.all)
    func everyKey(_ definition: SettingDefinition) throws {
        // The default as text, or something acceptable where the default is nothing.
        let text =
            switch definition.key {
            case "otel_exporter_otlp_headers": "api-key=0123456789abcdef"
            case _ where definition.isSecret: "0123456789abcdef"
            default: definition.defaultText
            }
        var settings = GatewaySettings()
        try definition.read(text, &settings)
        #expect(definition.show(settings) == text)
        guard !text.isEmpty else { return }
        if let flag = definition.flag {
            #expect(try load(["\(flag)=\(text)"]).origin(definition.key) == .flag(flag))
            #expect(try load([flag, text]).origin(definition.key) == .flag(flag))
        }
        let fromEnvironment = try load(environment: [definition.environmentName: text])
        #expect(fromEnvironment.origin(definition.key) == .environment(definition.environmentName))
        let fromFile = try load(["--config=g.yaml"], files: ["g.yaml": "\(definition.key): \"\(text)\""])
        #expect(fromFile.origin(definition.key) == .file("g.yaml", line: 1))
    }

    @Test("Lists and resources keep their commas from every place")
    func commas() throws {
        let backends = ["http://a:1", "https://b:443"]
        for loaded in [
            try load(["--static-backends", "http://a:1,https://b"]),
            try load(environment: ["STATIC_BACKENDS": "http://a:1, https://b"]),
            try load(["--config=g"], files: ["g": "static_backends: [http://a:1, https://b]"]),
            try load(["--config=g"], files: ["g": "static_backends: http://a:1,https://b"]),
        ] {
            #expect(loaded.settings.staticBackends.map(\.url) == backends)
        }
        let needs = ResourceVector(cpus: 500, gpus: 1000, memory: 16_000)
        for loaded in [
            try load(["--default-resources=cpus=0.5, gpus=1, memory_gb=16"]),
            try load(["--default-resources", "cpus=0.5,gpus=1,memory_gb=16"]),
            try load(environment: ["DEFAULT_RESOURCES": "memory_gb=16, cpus=0.5, gpus=1"]),
            try load(["--config=g"], files: ["g": "default_resources: {cpus: 0.5, gpus: 1, memory_gb: 16}"]),
        ] {
            #expect(loaded.settings.defaultResources == needs)
        }
    }

    @Test("An empty environment variable and a null in the file are as good as none")
    func nothing() throws {
        let loaded = try load(
            ["--config=g"],
            environment: ["GATEWAY_PORT": ""],
            files: ["g": "gateway_port:\nhold_timeout: ~\nroutes:\n"]
        )
        #expect(loaded.settings.gatewayPort == 8080)
        #expect(loaded.origin("hold_timeout") == .default)
        #expect(try load(["--config=g"], files: ["g": ""]).routes.isEmpty)
    }

    @Test("Tokens come from files too, without the line end")
    func tokenFiles() throws {
        let loaded = try load(
            environment: ["ADMIN_TOKEN_FILE": "/run/t", "ADMIN_READ_TOKEN_FILE": "/run/r", "ADMIN_HOST": "0.0.0.0"],
            files: ["/run/t": "0123456789abcdef\n", "/run/r": "fedcba9876543210"]
        )
        #expect(loaded.settings.adminTokens == ["0123456789abcdef"])
        #expect(loaded.settings.adminReadTokens == ["fedcba9876543210"])
        #expect(loaded.origin("admin_token") == .file("/run/t", line: nil))
    }

    @Test("A token file holds one token a line, so that a new one can be added before the old one goes")
    func severalTokens() throws {
        let loaded = try load(
            environment: ["ADMIN_TOKEN_FILE": "/run/t", "METRICS_TOKEN_FILE": "/run/m"],
            files: ["/run/t": "\n0123456789abcdef\r\n  fedcba9876543210\n\n", "/run/m": "scraper-90123456"]
        )
        #expect(loaded.settings.adminTokens == ["0123456789abcdef", "fedcba9876543210"])
        #expect(loaded.settings.metricsTokens == ["scraper-90123456"])
    }

    @Test("Connections default to 20000, or four fifths of the descriptors")
    func maxConnections() throws {
        let settings = try load().settings
        #expect(settings.ingressConfiguration(descriptorLimit: 1024).maxConnections == 816)
        #expect(!settings.ingressConfiguration(descriptorLimit: 1024).redaction.keepsCredentials)
        #expect(settings.ingressConfiguration(descriptorLimit: 1_048_576).maxConnections == 20_000)
        let given = try load(["--max-connections", "7"]).settings
        #expect(given.ingressConfiguration(descriptorLimit: 1024).maxConnections == 7)
    }
}

extension SettingDefinition: CustomTestStringConvertible {
    public var testDescription: String { key }
}
