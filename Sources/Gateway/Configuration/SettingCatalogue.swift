import Core
import Dispatcher
import Ingress
import Logging
import Queue

/// The one table of all keys. Flags, environment variables, the YAML file, `--help`, `check` and `docs/configuration.md` are all held
/// against it. To add a key: a property in ``GatewaySettings``, a line here, a line in the documentation (a test compares both).
///
/// Longer than 400 lines because it is that one table.
enum SettingCatalogue {
    static let all: [SettingDefinition] = listener + routes + discovery + pods + queue + admin + process + traces

    private static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })

    static subscript(key: String) -> SettingDefinition? { byKey[key] }

    private static let listener: [SettingDefinition] = [
        .init("gateway_host", .listener, \.gatewayHost, .host, "The address that clients reach the gateway at."),
        .init("gateway_port", .listener, \.gatewayPort, .port, "Its port."),
        .init(
            "max_connections",
            .listener,
            \.maxConnections,
            SettingType.integer(in: 1...1_000_000).optional("auto"),
            "Client connections at once; `auto` is 20000, or 80 % of the file descriptors where that is less."
        ),
        .init(
            "max_connections_per_client",
            .listener,
            \.maxConnectionsPerClient,
            SettingType.integer(in: 1...1_000_000).optional("off"),
            "Connections of one client address (of IPv6, of its network of 64 bits); behind a trusted proxy, its requests at once. More are answered 429."
        ),
        .init(
            "max_body_bytes",
            .listener,
            \.maxBodyBytes,
            .size(in: 0...(1 << 40)),
            "The largest body of a request; more is answered 413."
        ),
        .init(
            "header_timeout",
            .listener,
            \.headerTimeout,
            .duration(in: .milliseconds(100)...hour),
            "For a request's whole head to arrive; else 408."
        ),
        .init(
            "body_timeout",
            .listener,
            \.bodyTimeout,
            .duration(in: .milliseconds(100)...hour),
            "Between two bytes of a request's body; else 408."
        ),
        .init(
            "body_min_rate",
            .listener,
            \.bodyMinRate,
            .integer("BYTES", in: 0...1_000_000),
            "Bytes a second of a request's body, averaged over each minute, 16 times that while bodies fill over half of `max_queue_bytes`; else 408. 0 for no bound."
        ),
        .init(
            "client_keepalive",
            .listener,
            \.clientKeepalive,
            .duration(in: .zero...day),
            "How long an idle client connection is kept open."
        ),
        .init(
            "trusted_proxies",
            .listener,
            \.trustedProxies,
            SettingType.addressRange.list("addresses or ranges such as 10.0.0.0/8 or fd00::/8", maximum: 256),
            "Peers whose `X-Forwarded-*` fields are believed and appended to; those of others are replaced."
        ),
    ]

    private static let routes: [SettingDefinition] = [
        .init(
            "openapi_spec_path",
            .routes,
            \.openapiSpecPath,
            SettingType.path.optional("none"),
            "An OpenAPI document (3.0 or 3.1, JSON or YAML) whose `x-neutrino-*` extensions say what operations need.",
            reloadable: true
        ),
        .init(
            "default_resources",
            .routes,
            \.defaultResources,
            .resources,
            "What a request needs where no route says so; memory in GB.",
            reloadable: true
        ),
        .init(
            "hold_timeout",
            .routes,
            \.holdTimeout,
            .duration(in: .zero...day),
            "How long a request may wait for capacity before it is answered 503.",
            reloadable: true
        ),
        .init(
            "hold_timeout_no_pods",
            .routes,
            \.holdTimeoutNoPods,
            SettingType.duration(in: .zero...day).optional("hold_timeout"),
            "The same while no pod can be used at all: shorter, or longer where pods are started on demand; when one comes, `hold_timeout` begins."
        ),
        .init(
            "request_timeout",
            .routes,
            \.requestTimeout,
            .duration(in: .milliseconds(100)...day),
            "From the last byte sent to a pod to the first byte of its answer; else 504.",
            reloadable: true
        ),
        .init(
            "placement",
            .routes,
            \.placement,
            .word,
            "Which of several pods that fit gets a request."
        ),
        .init(
            "reserve_after",
            .routes,
            \.reserveAfter,
            .duration(in: .zero...day),
            "After waiting this long, the first of a line has a pod kept free for it."
        ),
        .init(
            "max_attempts",
            .routes,
            \.maxAttempts,
            .integer(in: 1...10),
            "Attempts of a request that a pod may have begun and that may be repeated, the first included."
        ),
        .init(
            "busy_statuses",
            .routes,
            \.busyStatuses,
            SettingType.integer("STATUS", in: 400...599).list("statuses from 400 to 599", maximum: 20),
            "Answers by which a pod refuses a request because it is busy; the request keeps its place in line."
        ),
    ]

    private static let pods: [SettingDefinition] = [
        .init(
            "capacity_update_interval",
            .pods,
            \.capacityUpdateInterval,
            .duration(in: .milliseconds(50)...hour),
            "How often each pod's `GET /capacity` is asked; more often while requests wait for it."
        ),
        .init(
            "capacity_timeout",
            .pods,
            \.capacityTimeout,
            .duration(in: .milliseconds(10)...hour),
            "How long its answer may take."
        ),
        .init(
            "stream_idle_timeout",
            .pods,
            \.streamIdleTimeout,
            .duration(in: .milliseconds(100)...day),
            "Between two bytes of a pod's answer, also as its client takes them; else it is broken off."
        ),
        .init(
            "upstream_keepalive",
            .pods,
            \.upstreamKeepalive,
            .duration(in: .zero...hour),
            "How long an idle connection to a pod is kept for reuse; less than the pod's own time for it."
        ),
        .init(
            "upstream_ca_file",
            .pods,
            \.upstreamCAFile,
            SettingType.path.optional("system"),
            "Certificates (PEM) that https pods are verified against; `system` is the machine's own."
        ),
        .init(
            "upstream_client_cert_file",
            .pods,
            \.upstreamClientCertFile,
            SettingType.path.optional("none"),
            "The gateway's certificate for https pods that ask for one, and those up to its authority (PEM). A renewed one is taken up when it is written."
        ),
        .init(
            "upstream_client_key_file",
            .pods,
            \.upstreamClientKeyFile,
            SettingType.path.optional("none"),
            "That certificate's private key (PEM, without a passphrase)."
        ),
        .init(
            "upstream_tls_server_name",
            .pods,
            \.upstreamTLSServerName,
            SettingType.host.optional("host"),
            "The name in the certificates of https pods; `host` is the host of each one's URL."
        ),
    ]

    private static let admin: [SettingDefinition] = [
        .init(
            "admin_host",
            .admin,
            \.adminHost,
            .host,
            "The operators' address; other than loopback, it needs a token."
        ),
        .init("admin_port", .admin, \.adminPort, .port, "Its port."),
        .init(
            "admin_allowed_hosts",
            .admin,
            \.adminAllowedHosts,
            SettingType.host.list("host names or addresses", maximum: 100),
            "Hosts by which operators may reach it, besides loopback and `admin_host`."
        ),
        .init(
            "admin_token",
            .admin,
            \.adminTokens,
            .tokens,
            "What operators must show; better in a file.",
            secret: true,
            reloadable: true
        ),
        .init(
            "admin_token_file",
            .admin,
            \.adminTokenFile,
            SettingType.path.optional("none"),
            "A file with the token, or several: one a line, so that they can be changed one after the other.",
            reloadable: true
        ),
        .init(
            "admin_read_token",
            .admin,
            \.adminReadTokens,
            .tokens,
            "A token that may look, but sees no bodies and changes nothing.",
            secret: true,
            reloadable: true
        ),
        .init(
            "admin_read_token_file",
            .admin,
            \.adminReadTokenFile,
            SettingType.path.optional("none"),
            "A file with that token, or several.",
            reloadable: true
        ),
        .init(
            "admin_tls_cert_file",
            .admin,
            \.adminTLSCertFile,
            SettingType.path.optional("none"),
            "The listener's certificate and those up to its authority (PEM): it then speaks https. A renewed one is taken up when it is written."
        ),
        .init(
            "admin_tls_key_file",
            .admin,
            \.adminTLSKeyFile,
            SettingType.path.optional("none"),
            "The certificate's private key (PEM, without a passphrase)."
        ),
        .init(
            "metrics_token_file",
            .admin,
            \.metricsTokenFile,
            SettingType.path.optional("none"),
            "A file with the token that `/metrics` asks for, or several; without it everybody may read `/metrics`.",
            reloadable: true
        ),
    ]

    private static let process: [SettingDefinition] = [
        .init("log_level", .process, \.logLevel, .word, "Log lines below it are left out.", reloadable: true),
        .init(
            "log_format",
            .process,
            \.logFormat,
            .word,
            "One line of text, or one JSON object, for each event, on standard error."
        ),
        .init(
            "access_log",
            .process,
            \.accessLog,
            .accessLog,
            "Which requests get a log line of their own when they end."
        ),
        .init(
            "drain_delay",
            .process,
            \.drainDelay,
            .duration(in: .zero...hour),
            "After SIGTERM, how long requests are still taken while `/ready` says 503."
        ),
        .init(
            "drain_timeout",
            .process,
            \.drainTimeout,
            .duration(in: .zero...day),
            "How long requests that wait or run may then go on."
        ),
        .init(
            "event_loops",
            .process,
            \.eventLoops,
            SettingType.integer(in: 1...256).optional("auto"),
            "Threads for connections; `auto` is one for each core."
        ),
    ]

    static let hour = Duration.seconds(3600)
    static let day = Duration.seconds(86_400)
}
