import Core
import Discovery
import Logging
import NIOCore
import NIOSSL
import Pods

/// A scripted API server, and a discovery that asks it.
final class KubernetesWorld: DiscoveryWorld {
    let server: APIServer
    let curl = CurlClient()
    private let location: KubernetesLocation
    private let configuration: KubernetesConfiguration
    private let limits: KubernetesLimits

    init(
        _ pods: [APIPod] = [],
        namespaces: [String] = ["default"],
        gateway: GatewayIdentity = GatewayIdentity(),
        tls: NIOSSLContext? = nil,
        limits change: (inout KubernetesLimits) -> Void = { _ in },
        location: ((APIServer) throws -> KubernetesLocation)? = nil
    ) async throws {
        server = try await APIServer(pods, tls: tls)
        self.location = try location?(server) ?? KubernetesLocation(apiURL: server.url)
        var configuration = KubernetesConfiguration(namespaces: namespaces, selector: "app in (pods, more)")
        configuration.gateway = gateway
        self.configuration = configuration
        var limits = KubernetesLimits()
        limits.connectTimeout = .seconds(60)
        limits.listTimeout = .seconds(60)
        limits.silenceSeconds = 600
        change(&limits)
        self.limits = limits
    }

    convenience init(hosts: [String]) async throws { try await self.init(hosts.map { APIPod("pod-\($0)", ip: $0) }) }

    private var client: KubernetesClient { KubernetesClient(client: curl, location: location, limits: limits) }

    /// Looks once.
    func look() async throws(DiscoveryError) { _ = try await KubernetesDiscovery.look(with: client, configuration) }

    var discovery: any PodDiscovery {
        KubernetesDiscovery(
            client: client,
            configuration: configuration,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    func set(_ hosts: [String]) { server.replace(hosts.map { APIPod("pod-\($0)", ip: $0) }) }

    func spoil() {
        server.begin(.status(500, "etcdserver: request timed out"))
        server.cut()
    }

    func mend() { server.endTrouble() }

    func stop() async throws {
        try await server.stop()
        curl.shutdown()
    }
}
