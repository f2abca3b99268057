import Telemetry

/// Under the names that OpenTelemetry gives them (opentelemetry.io/docs/specs/otel/protocol/exporter and
/// …/configuration/sdk-environment-variables), so that what a cluster sets for all its programs holds here too.
extension SettingCatalogue {
    static let traces: [SettingDefinition] = [
        .init(
            "otel_exporter_otlp_endpoint",
            .traces,
            \.otelExporterOtlpEndpoint,
            SettingType.url.optional("none"),
            "The collector that spans are sent to, as OTLP/HTTP JSON at `/v1/traces` below it; without one nothing is traced."
        ),
        .init(
            "otel_exporter_otlp_traces_endpoint",
            .traces,
            \.otelExporterOtlpTracesEndpoint,
            SettingType.url.optional("none"),
            "The whole URL for spans; goes before `otel_exporter_otlp_endpoint`."
        ),
        .init(
            "otel_exporter_otlp_headers",
            .traces,
            \.otelExporterOtlpHeaders,
            .exportFields,
            "Header fields of each call to the collector, such as its token.",
            secret: true
        ),
        .init(
            "otel_service_name",
            .traces,
            \.otelServiceName,
            .text("NAME", accepted: "a name"),
            "What the gateway is called in traces."
        ),
        .init(
            "otel_traces_sampler",
            .traces,
            \.otelTracesSampler,
            .word,
            "Which traces are recorded: with `parentbased_`, those that came with a request as their sender says, others by the rule."
        ),
        .init(
            "otel_traces_sampler_arg",
            .traces,
            \.otelTracesSamplerArg,
            .share,
            "The share of traces that `traceidratio` records."
        ),
    ]
}

/// The samplers that OpenTelemetry names.
enum TraceSamplerName: String, CaseIterable, Sendable {
    case alwaysOn = "always_on"
    case alwaysOff = "always_off"
    case ratio = "traceidratio"
    case parentAlwaysOn = "parentbased_always_on"
    case parentAlwaysOff = "parentbased_always_off"
    case parentRatio = "parentbased_traceidratio"
}

/// A header field of calls to the collector.
struct ExportField: Sendable, Equatable {
    var name: String
    var value: String
}

extension GatewaySettings {
    /// Where spans are sent; nil where nothing is traced.
    var traceEndpoint: String? {
        guard otelTracesSampler != .alwaysOff else { return nil }
        if let endpoint = otelExporterOtlpTracesEndpoint { return endpoint }
        return otelExporterOtlpEndpoint.map { $0.hasSuffix("/") ? "\($0)v1/traces" : "\($0)/v1/traces" }
    }

    var traceSampler: TraceSampler {
        switch otelTracesSampler {
        case .alwaysOn: TraceSampler(ratio: 1, followsParent: false)
        case .alwaysOff: TraceSampler(ratio: 0, followsParent: false)
        case .ratio: TraceSampler(ratio: otelTracesSamplerArg, followsParent: false)
        case .parentAlwaysOn: TraceSampler(ratio: 1)
        case .parentAlwaysOff: TraceSampler(ratio: 0)
        case .parentRatio: TraceSampler(ratio: otelTracesSamplerArg)
        }
    }
}
