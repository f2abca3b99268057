package import Admin
import Core
package import Dispatcher
package import Ingress
import NIOCore
package import Pods
package import Queue

// The targets' own configurations, made from the one value that was read. What is not named here has no key: the target's default
// applies.

extension GatewaySettings {
    package var queueConfiguration: QueueConfiguration {
        var queue = QueueConfiguration(databasePath: databasePath)
        queue.synchronous = queueSynchronous
        queue.nodeID = nodeID
        queue.maxQueueBytes = maxQueueBytes
        queue.keepCredentials = keepCredentials
        queue.redactedFields = redactHeaders
        queue.redactedQuery = redactQuery
        queue.logRetention = logRetention
        queue.logBodyRetention = logBodyRetention
        queue.databaseMaxBytes = Int64(databaseMaxBytes)
        return queue
    }

    package var dispatchConfiguration: DispatchConfiguration {
        var dispatch = DispatchConfiguration()
        dispatch.placement = placement
        dispatch.reserveAfter = TimeAmount(reserveAfter)
        dispatch.maxQueueDepth = maxQueueDepth
        dispatch.maxAttempts = maxAttempts
        dispatch.capacityInterval = TimeAmount(capacityUpdateInterval)
        dispatch.capacityTimeout = TimeAmount(capacityTimeout)
        dispatch.holdTimeoutNoPods = holdTimeoutNoPods.map { TimeAmount($0) }
        return dispatch
    }

    package var exchangeConfiguration: ExchangeConfiguration {
        var exchange = ExchangeConfiguration()
        exchange.busyStatuses = Set(busyStatuses)
        exchange.keptAnswerBytes = logResponseBytes
        return exchange
    }

    package var podsConfiguration: PodsConfiguration {
        var pods = PodsConfiguration()
        pods.capacityInterval = TimeAmount(capacityUpdateInterval)
        pods.capacityTimeout = TimeAmount(capacityTimeout)
        pods.streamIdleTimeout = TimeAmount(streamIdleTimeout)
        pods.upstreamKeepAlive = TimeAmount(upstreamKeepalive)
        pods.caFile = upstreamCAFile
        if let certificate = upstreamClientCertFile, let key = upstreamClientKeyFile {
            pods.clientCertificate = ClientCertificateFiles(certificate: certificate, key: key)
        }
        pods.tlsServerName = upstreamTLSServerName
        return pods
    }

    package var adminConfiguration: AdminConfiguration {
        var admin = AdminConfiguration()
        admin.host = adminHost
        admin.port = adminPort
        admin.allowedHosts = adminAllowedHosts
        admin.trustedProxies = trustedProxies.compactMap { AddressBlock($0.description) }
        admin.version = ProgramVersion.current
        return admin
    }

    package var tokens: AdminTokens {
        AdminTokens(full: adminTokens, read: adminReadTokens, metrics: metricsTokens)
    }

    /// The operators' listener's certificate, read; nil where it speaks HTTP without TLS.
    /// - Throws: ``GatewayError`` with the file and what is wrong with it.
    func adminTLS() throws(GatewayError) -> AdminTLS? {
        guard let certificate = adminTLSCertFile, let key = adminTLSKeyFile else { return nil }
        do {
            return try AdminTLS(certificateFile: certificate, keyFile: key)
        } catch {
            throw GatewayError(.configuration, "\(error)")
        }
    }

    /// - Parameter descriptorLimit: The process's limit of file descriptors, for `MAX_CONNECTIONS` where it is not given.
    package func ingressConfiguration(descriptorLimit: Int) -> IngressConfiguration {
        var ingress = IngressConfiguration()
        ingress.host = gatewayHost
        ingress.port = gatewayPort
        ingress.headerTimeout = headerTimeout
        ingress.bodyTimeout = bodyTimeout
        ingress.bodyMinRate = bodyMinRate
        ingress.sendTimeout = streamIdleTimeout
        ingress.clientKeepAlive = clientKeepalive
        ingress.maxBodyBytes = maxBodyBytes
        ingress.maxConnections = maxConnections ?? min(20_000, max(1, descriptorLimit / 10 * 8))
        ingress.maxConnectionsPerClient = maxConnectionsPerClient
        ingress.trustedProxies = trustedProxies.map(\.description)
        ingress.accessLog = accessLog
        ingress.beginsTraces = traceEndpoint == nil
        ingress.redaction = Redaction(
            fields: redactHeaders,
            queryParameters: redactQuery,
            keepsCredentials: keepCredentials
        )
        ingress.drainDelay = drainDelay
        ingress.drainTimeout = drainTimeout
        return ingress
    }
}

extension LoadedConfiguration {
    /// What a route has where neither `routes:` nor the OpenAPI document says otherwise.
    package var routeDefaults: RouteDefaults {
        func source(_ key: String) -> SettingSource { origin(key) == .default ? .default : .configuration }
        var defaults = RouteDefaults()
        defaults.needs = settings.defaultResources
        defaults.needsSource = source("default_resources")
        defaults.holdTimeout = Setting(settings.holdTimeout, from: source("hold_timeout"))
        defaults.requestTimeout = Setting(settings.requestTimeout, from: source("request_timeout"))
        return defaults
    }
}
