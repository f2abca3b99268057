import Foundation
import Logging
import NIOCore
import Pods
import Telemetry

/// Traces of requests, where a collector is configured.
struct GatewayTracing: Sendable {
    let tracer: OTLPTracer
    let exporter: SpanExporter

    /// nil where nothing is traced.
    init?(_ settings: GatewaySettings, buffer: SpanBuffer, client: CurlClient, logger: Logger) {
        guard let endpoint = settings.traceEndpoint else { return nil }
        tracer = OTLPTracer(sampler: settings.traceSampler, buffer: buffer)
        let fields = settings.otelExporterOtlpHeaders.map { ($0.name, $0.value) }
        exporter = SpanExporter(
            buffer: buffer,
            resource: OTLPDocument.Resource(
                serviceName: settings.otelServiceName,
                version: ProgramVersion.current,
                instance: UUID().uuidString.lowercased()
            ),
            logger: logger
        ) { document, timeout in
            var request = CurlRequest(url: endpoint)
            request.method = "POST"
            request.fields = [("Content-Type", "application/json")] + fields
            request.body = document
            request.timeout = TimeAmount(timeout)
            request.maximumBytes = 64 << 10
            return try await client.send(request).status
        }
        logger.info("requests are traced", metadata: ["endpoint": "\(endpoint)"])
    }
}
