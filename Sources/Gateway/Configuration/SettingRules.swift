import Core
import Discovery

/// What several values together must keep to.
enum SettingRules {
    static func problems(of loaded: LoadedConfiguration) -> [ConfigurationProblem] {
        let settings = loaded.settings
        var problems: [ConfigurationProblem] = []
        if !AddressBlock.isLoopback(host: settings.adminHost), settings.adminTokens.isEmpty {
            problems.append(
                ConfigurationProblem(
                    "admin_host: \(quoted(settings.adminHost)) is not loopback and there is no token",
                    origin: loaded.origin("admin_host"),
                    accepted: "127.0.0.1, ::1 or localhost; others with ADMIN_TOKEN_FILE or ADMIN_TOKEN"
                )
            )
        }
        problems += tokens(of: loaded)
        problems += discovery(of: loaded)
        for (prefix, certificate, key) in [
            ("admin_tls", settings.adminTLSCertFile, settings.adminTLSKeyFile),
            ("upstream_client", settings.upstreamClientCertFile, settings.upstreamClientKeyFile),
        ] where (certificate == nil) != (key == nil) {
            let missing = certificate == nil ? "\(prefix)_cert_file" : "\(prefix)_key_file"
            let given = certificate == nil ? "\(prefix)_key_file" : "\(prefix)_cert_file"
            problems.append(
                ConfigurationProblem(
                    "\(given): there is no \(missing)",
                    origin: loaded.origin(given),
                    accepted: "both or neither"
                )
            )
        }
        if settings.gatewayPort == settings.adminPort, settings.gatewayPort != 0,
            overlaps(settings.gatewayHost, settings.adminHost)
        {
            problems.append(
                ConfigurationProblem(
                    "admin_port: \(settings.adminPort) is gateway_port too",
                    origin: loaded.origin("admin_port"),
                    accepted: "a port of its own"
                )
            )
        }
        if settings.maxBodyBytes > settings.maxQueueBytes {
            problems.append(
                ConfigurationProblem(
                    "max_body_bytes: \(ByteSize.format(settings.maxBodyBytes)) is more than max_queue_bytes, \(ByteSize.format(settings.maxQueueBytes))",
                    origin: loaded.origin("max_body_bytes"),
                    accepted: "at most max_queue_bytes"
                )
            )
        }
        return problems
    }

    /// What a way of finding pods cannot do without.
    private static func discovery(of loaded: LoadedConfiguration) -> [ConfigurationProblem] {
        let settings = loaded.settings
        func missing(_ key: String, _ accepted: String) -> ConfigurationProblem {
            ConfigurationProblem(
                "discovery_mode: \(settings.discoveryMode.rawValue) needs \(key)",
                origin: loaded.origin("discovery_mode"),
                accepted: "\(key.uppercased()), \(accepted)"
            )
        }
        switch settings.discoveryMode {
        case .static: return []
        case .kubernetes:
            let selector =
                settings.k8sLabelSelector == nil
                ? [missing("k8s_label_selector", "the labels of task pods, such as app=task-pod")] : []
            return selector + [context(of: loaded)].compactMap { $0 }
        case .dns:
            guard let name = settings.dnsName else {
                return [missing("dns_name", "the name whose addresses the pods are")]
            }
            guard DNSConfiguration(name: name).isOfServices || settings.dnsPort != nil else {
                return [missing("dns_port", "the port of the pods; only services (_http._tcp.…) have their own")]
            }
            return []
        case .file:
            return settings.discoveryFile == nil
                ? [missing("discovery_file", "the path of a file that lists pods")] : []
        }
    }

    /// A context that nothing is asked for would leave the gateway in another cluster than was meant.
    private static func context(of loaded: LoadedConfiguration) -> ConfigurationProblem? {
        let settings = loaded.settings
        guard let context = settings.k8sContext, settings.k8sAPIURL != nil || settings.kubeconfig == nil else {
            return nil
        }
        let why = settings.k8sAPIURL == nil ? "there is no kubeconfig" : "k8s_api_url goes before the kubeconfig"
        return ConfigurationProblem(
            "k8s_context: \(quoted(context)) is the context of a kubeconfig, and \(why)",
            origin: loaded.origin("k8s_context"),
            accepted: "with KUBECONFIG, and without K8S_API_URL"
        )
    }

    /// A token that stood in two lists would do what the lesser of them is there to prevent.
    private static func tokens(of loaded: LoadedConfiguration) -> [ConfigurationProblem] {
        let settings = loaded.settings
        var problems: [ConfigurationProblem] = []
        var seen = Set(settings.adminTokens)
        for (key, tokens, others) in [
            ("admin_read_token", settings.adminReadTokens, "admin_token"),
            ("metrics_token_file", settings.metricsTokens, "admin_token or admin_read_token"),
        ] {
            if !seen.isDisjoint(with: tokens) {
                problems.append(
                    ConfigurationProblem(
                        "\(key): it is the same as \(others)",
                        origin: loaded.origin(key),
                        accepted: "a token of its own"
                    )
                )
            }
            seen.formUnion(tokens)
        }
        return problems
    }

    /// Whether both could not be listened on with one port.
    private static func overlaps(_ left: String, _ right: String) -> Bool {
        let all: Set = ["0.0.0.0", "::"]
        return left == right || all.contains(left) || all.contains(right)
    }
}
