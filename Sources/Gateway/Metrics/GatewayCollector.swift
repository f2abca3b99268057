import Ingress
import Telemetry

/// The program itself, and the clients that are connected to it.
struct GatewayCollector: MetricsCollector {
    let ingress: IngressServer
    let eventLoops: Int

    func collect() async -> [MetricFamily] {
        var build = MetricFamily(.gauge, "neutrino_build_info", "Always 1; its label tells the version that runs.")
        build.add(1, [.init("version", ProgramVersion.current)])
        return [
            build,
            .gauge("neutrino_event_loops", "Event loops that serve clients and pods.", eventLoops),
            .gauge("neutrino_client_connections", "Connections of clients that are open.", ingress.connections),
        ]
    }
}
