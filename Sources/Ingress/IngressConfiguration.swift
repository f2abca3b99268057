package import Core
package import HTTP

/// How the listener for clients behaves: addresses, bounds and timeouts.
package struct IngressConfiguration: Sendable {
    /// `GATEWAY_HOST`: an IPv4 or IPv6 address, or a name.
    package var host = "0.0.0.0"
    /// `GATEWAY_PORT`; 0 for one that the system chooses.
    package var port = 8080
    /// Connections that the kernel keeps until they are accepted; it cuts this at `net.core.somaxconn`.
    package var backlog = 4096

    /// `HEADER_TIMEOUT`: for a whole head, from the connect or from the first byte of a later request. Then 408.
    package var headerTimeout = Duration.seconds(10)
    /// `BODY_TIMEOUT`: between two reads of a body. Then 408.
    package var bodyTimeout = Duration.seconds(30)
    /// `BODY_MIN_RATE`: bytes a second of a body, averaged over each ``bodyRateWindow``; 0 for no bound. Then 408.
    package var bodyMinRate = 240
    /// Over how long a body's rate is averaged; what comes within it does not count for the next.
    package var bodyRateWindow = Duration.seconds(60)
    /// `CLIENT_KEEPALIVE`: how long a connection may be idle between requests; then it is closed without a word. Above the 600 s of the
    /// load balancers of the large clouds, so that they close first.
    package var clientKeepAlive = Duration.seconds(620)
    /// `STREAM_IDLE_TIMEOUT`: how long a client may take no byte of an answer that waits for it; then its connection is reset.
    package var sendTimeout = Duration.seconds(300)
    /// How long bytes that nobody wants are read after an answer that ends the connection, so that a reset does not overtake it.
    package var lingerTimeout = Duration.seconds(5)

    /// `MAX_BODY_BYTES`: of one request.
    package var maxBodyBytes = 100 << 20
    /// Bodies up to this many bytes are kept in memory, larger ones in a file.
    package var spoolThreshold = 256 << 10
    /// `MAX_CONNECTIONS`: at most so many at once; the longest idle one makes room for a new one.
    package var maxConnections = 16_000
    /// `MAX_CONNECTIONS_PER_CLIENT`: of one client's address; behind a trusted proxy, requests at once. nil for no bound.
    package var maxConnectionsPerClient: Int?

    /// `TRUSTED_PROXIES`: peers whose `X-Forwarded-*` are kept and appended to; addresses and CIDR blocks.
    package var trustedProxies: [String] = []
    /// The HTTP/1.1 codec of clients' connections.
    package var codec = MessageCodec.bytes

    /// Whether a request without a valid `traceparent` gets one here; false where the dispatcher has a tracer, which begins it.
    package var beginsTraces = true

    /// `ACCESS_LOG`.
    package var accessLog = AccessLogMode.off
    /// What is not written to the access log either (`REDACT_QUERY`).
    package var redaction = Redaction()

    /// `DRAIN_DELAY`: how long requests are still taken after a shutdown was asked for, while `/ready` answers 503.
    package var drainDelay = Duration.zero
    /// `DRAIN_TIMEOUT`: how long what is in flight and waits may go on after that.
    package var drainTimeout = Duration.seconds(30)
    /// How long the answers may take that are given to those who still wait at `DRAIN_TIMEOUT`.
    package var sendingAfterDrain = Duration.seconds(5)

    package init() {}
}

/// Which answers get a line in the log: `ACCESS_LOG`.
package enum AccessLogMode: Sendable, Equatable {
    case off
    /// Answers of 500 and above, the gateway's own refusals, and answers that the client did not get whole.
    case errors
    /// One of that many, and all that ``errors`` would log.
    case sample(Int)
    case all

    /// Reads `off`, `errors`, `all` or `sample:N`; nil for anything else.
    package init?(_ text: String) {
        switch text {
        case "off": self = .off
        case "errors": self = .errors
        case "all": self = .all
        default:
            guard text.hasPrefix("sample:"), let count = Int(text.dropFirst("sample:".count)), count > 0 else {
                return nil
            }
            self = .sample(count)
        }
    }
}
