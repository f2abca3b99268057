package import Core
import Discovery
package import Dispatcher
package import Ingress
package import Logging
package import Queue

/// Everything that the gateway can be told, with what applies where it is told nothing.
///
/// ``SettingCatalogue`` binds each property to its key, its bounds and its documentation. The targets' own configurations are made from
/// this one value in `GatewaySettings+Targets.swift`.
package struct GatewaySettings: Sendable {
    // Where clients come in.
    package var gatewayHost = "0.0.0.0"
    package var gatewayPort = 8080
    /// nil: min(20000, 80 % of the descriptors).
    package var maxConnections: Int?
    package var maxConnectionsPerClient: Int?
    package var maxBodyBytes = 100 << 20
    package var headerTimeout = Duration.seconds(10)
    /// Between two bytes.
    package var bodyTimeout = Duration.seconds(30)
    /// Bytes a second, averaged over a minute; 0 for no bound.
    package var bodyMinRate = 240
    package var clientKeepalive = Duration.seconds(620)
    var trustedProxies: [AddressRange] = []

    // Routes and holding.
    package var openapiSpecPath: String?
    package var defaultResources = ResourceVector(cpus: 1000, gpus: 0, memory: 1000)
    package var holdTimeout = Duration.seconds(30)
    /// While no pod is known at all; nil: as ``holdTimeout``.
    package var holdTimeoutNoPods: Duration?
    /// To the pod's first byte.
    package var requestTimeout = Duration.seconds(300)
    package var placement = Placement.leastUtilized
    package var reserveAfter = Duration.seconds(5)
    package var maxAttempts = 3
    package var busyStatuses = [503]

    // Finding pods.
    package var discoveryMode = DiscoveryMode.static
    package var staticBackends: [PodDescription] = []
    package var discoveryFile: String?
    /// nil: that of the service account or kubeconfig; empty: all.
    package var k8sNamespace: [String]?
    package var k8sLabelSelector: String?
    package var k8sPort: Int?
    package var k8sAPIURL: String?
    package var kubeconfig: String?
    /// nil: the kubeconfig's own choice.
    package var k8sContext: String?
    package var dnsName: String?
    /// Of services it is in their records.
    package var dnsPort: Int?
    package var dnsScheme = BackendScheme.http
    var dnsFamily = DNSConfiguration.Family.auto
    package var dnsRefresh = Duration.seconds(10)
    var dnsServer: NameServerAddress?

    // Pods.
    package var capacityUpdateInterval = Duration.seconds(2)
    package var capacityTimeout = Duration.seconds(5)
    package var streamIdleTimeout = Duration.seconds(300)
    package var upstreamKeepalive = Duration.seconds(4)
    package var upstreamCAFile: String?
    package var upstreamClientCertFile: String?
    package var upstreamClientKeyFile: String?
    package var upstreamTLSServerName: String?

    // The queue, which is the request log.
    package var databasePath = "neutrino.db"
    package var queueSynchronous = QueueConfiguration.Synchronous.normal
    package var maxQueueDepth = 10_000
    package var maxQueueBytes = 1 << 30
    package var logRetention = Duration.seconds(7 * 86_400)
    package var logBodyRetention = Duration.seconds(86_400)
    package var logResponseBytes = 4096
    package var databaseMaxBytes = 10 << 30
    package var redactHeaders: [String] = []
    package var redactQuery: [String] = []
    package var keepCredentials = false
    package var nodeID = 0

    // Operators.
    package var adminHost = "127.0.0.1"
    package var adminPort = 9090
    package var adminAllowedHosts: [String] = []
    package var adminTokens: [String] = []
    package var adminTokenFile: String?
    package var adminReadTokens: [String] = []
    package var adminReadTokenFile: String?
    package var adminTLSCertFile: String?
    package var adminTLSKeyFile: String?
    /// Those in ``metricsTokenFile``.
    package var metricsTokens: [String] = []
    package var metricsTokenFile: String?

    // The process.
    package var logLevel = Logger.Level.info
    package var logFormat = LogFormat.text
    package var accessLog = AccessLogMode.off
    package var drainDelay = Duration.zero
    package var drainTimeout = Duration.seconds(30)
    /// nil: one for each core.
    package var eventLoops: Int?

    // Traces.
    package var otelExporterOtlpEndpoint: String?
    package var otelExporterOtlpTracesEndpoint: String?
    var otelExporterOtlpHeaders: [ExportField] = []
    package var otelServiceName = "neutrino-gateway"
    var otelTracesSampler = TraceSamplerName.parentAlwaysOn
    package var otelTracesSamplerArg = 1.0

    package init() {}
}

/// How pods are found.
package enum DiscoveryMode: String, CaseIterable, Sendable {
    /// Those of `STATIC_BACKENDS`.
    case `static`
    /// Those with the labels of `K8S_LABEL_SELECTOR`.
    case kubernetes
    /// Those behind `DNS_NAME`.
    case dns
    /// Those that `DISCOVERY_FILE` lists.
    case file
}

/// What is spoken to pods that a name has.
package enum BackendScheme: String, CaseIterable, Sendable {
    case http
    case https
}

/// How log lines are written.
package enum LogFormat: String, CaseIterable, Sendable {
    case text
    case json
}
