import HTTPTypes
import Hummingbird
import NIOCore
import Telemetry

/// `GET /metrics`: what Prometheus scrapes.
struct MetricsCalls: Sendable {
    let registry: MetricsRegistry

    func add(to router: Router<AdminContext>) {
        router.get("/metrics") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: MetricsText.contentType, .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: await registry.text()))
            )
        }
    }
}
