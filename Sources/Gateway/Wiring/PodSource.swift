import Core
import Discovery
import Logging
import NIOCore
import Pods

/// How this gateway finds its pods.
struct PodSource: Sendable {
    let discovery: any PodDiscovery
    /// The same where it is the list that a reload may replace.
    let list: StaticDiscovery?

    /// - Throws: ``GatewayError`` where nothing could be found with what is configured.
    init(
        _ loaded: LoadedConfiguration,
        client: CurlClient,
        group: any EventLoopGroup,
        logger: Logger
    ) throws(GatewayError) {
        let settings = loaded.settings
        switch settings.discoveryMode {
        case .static:
            let list = StaticDiscovery(backends: settings.staticBackends)
            self.init(list, list: list)
        case .kubernetes:
            let configuration: KubernetesConfiguration
            do throws(DiscoveryError) {
                configuration = try loaded.kubernetesConfiguration()
            } catch {
                throw GatewayError(.configuration, "discovery_mode kubernetes: \(error)")
            }
            logger.info(
                "pods are looked for in Kubernetes",
                metadata: [
                    "namespaces":
                        "\(configuration.namespaces.isEmpty ? "*" : configuration.namespaces.joined(separator: ","))",
                    "selector": "\(configuration.selector)",
                ]
            )
            self.init(
                KubernetesDiscovery(
                    client: KubernetesClient(client: client, location: loaded.kubernetesLocation),
                    configuration: configuration,
                    logger: logger
                )
            )
        case .dns:
            self.init(DNSDiscovery(configuration: settings.dnsConfiguration, group: group))
        case .file:
            self.init(FileDiscovery(path: settings.discoveryFile ?? "") { try await Task.sleep(for: .seconds(1)) })
        }
    }

    private init(_ discovery: any PodDiscovery, list: StaticDiscovery? = nil) {
        self.discovery = discovery
        self.list = list
    }
}

extension GatewaySettings {
    var dnsConfiguration: DNSConfiguration {
        var configuration = DNSConfiguration(name: dnsName ?? "", port: dnsPort)
        configuration.scheme = dnsScheme == .https ? .https : .http
        configuration.family = dnsFamily
        configuration.longestPause = dnsRefresh
        configuration.server = dnsServer.map { ($0.host, $0.port) }
        return configuration
    }
}

extension LoadedConfiguration {
    var kubernetesLocation: KubernetesLocation {
        KubernetesLocation(
            apiURL: settings.k8sAPIURL,
            kubeconfig: settings.kubeconfig,
            context: settings.k8sContext,
            environment: surroundings
        )
    }

    /// - Throws: A ``DiscoveryError`` where no API server could be reached with what is configured.
    func kubernetesConfiguration() throws(DiscoveryError) -> KubernetesConfiguration {
        let access = try kubernetesLocation.resolve()
        try access.checkCertificates()
        var configuration = KubernetesConfiguration(
            namespaces: settings.k8sNamespace ?? [access.namespace ?? "default"],
            selector: settings.k8sLabelSelector ?? "",
            port: settings.k8sPort
        )
        // Kubernetes names a pod's host after it, unless it shares the node's network: POD_NAME is for that.
        configuration.gateway = GatewayIdentity(
            podName: surroundings["POD_NAME"] ?? surroundings["HOSTNAME"],
            namespace: surroundings["POD_NAMESPACE"] ?? access.namespace ?? "default"
        )
        return configuration
    }
}
