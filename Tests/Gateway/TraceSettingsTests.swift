import Ingress
import Telemetry
import Testing

@testable import Gateway

@Suite("The settings of traces")
struct TraceSettingsTests {
    private func settings(_ environment: [String: String]) throws -> GatewaySettings {
        try LoadedConfiguration.load(arguments: [], environment: environment).settings
    }

    @Test("nothing is traced until there is an endpoint, or where the sampler is off")
    func off() throws {
        #expect(try settings([:]).traceEndpoint == nil)
        #expect(try settings([:]).ingressConfiguration(descriptorLimit: 100).beginsTraces)
        let off = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318", "OTEL_TRACES_SAMPLER": "always_off"]
        #expect(try settings(off).traceEndpoint == nil)
    }

    @Test(
        "spans go below the endpoint, or to the whole URL where one is given",
        arguments: [
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318"], "http://a:4318/v1/traces"),
            (["OTEL_EXPORTER_OTLP_ENDPOINT": "https://a/otlp/"], "https://a/otlp/v1/traces"),
            (
                ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/x"],
                "http://b/x"
            ),
        ]
    )
    func endpoints(environment: [String: String], url: String) throws {
        let settings = try settings(environment)
        #expect(settings.traceEndpoint == url)
        #expect(!settings.ingressConfiguration(descriptorLimit: 100).beginsTraces)
    }

    @Test(
        "samplers have OpenTelemetry's names",
        arguments: [
            ("always_on", 1, false), ("traceidratio", 0.25, false), ("parentbased_always_on", 1, true),
            ("parentbased_always_off", 0, true), ("parentbased_traceidratio", 0.25, true),
        ] as [(String, Double, Bool)]
    )
    func samplers(name: String, ratio: Double, followsParent: Bool) throws {
        let settings = try settings(["OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "0.25"])
        #expect(settings.traceSampler == TraceSampler(ratio: ratio, followsParent: followsParent))
    }

    @Test("header fields are read with percent encoding, and what is wrong with them is told without them")
    func fields() throws {
        let read = try settings(["OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%3Db%20c, x-team = blue"])
        #expect(
            read.otelExporterOtlpHeaders == [
                ExportField(name: "api-key", value: "a=b c"), ExportField(name: "x-team", value: "blue"),
            ]
        )
        for secret in ["sesame", "a=1,sesame", "a b=sesame", "a=sesame%0D%0Ax: y", "a=sesame%zz"] {
            let error = #expect(throws: GatewayError.self) {
                try settings(["OTEL_EXPORTER_OTLP_HEADERS": secret])
            }
            #expect(error?.description.contains("otel_exporter_otlp_headers") == true)
            #expect(error?.description.contains("sesame") == false)
        }
    }

    @Test(
        "what is no URL, no sampler and no share is refused",
        arguments: [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "a:4318"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://a"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:p@a"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://a/x?y=z"), ("OTEL_TRACES_SAMPLER", "some"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"), ("OTEL_TRACES_SAMPLER_ARG", "nan"),
        ]
    )
    func refused(variable: String, value: String) {
        #expect(throws: GatewayError.self) { try settings([variable: value]) }
    }
}
