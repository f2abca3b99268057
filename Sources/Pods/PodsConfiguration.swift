package import HTTP
package import NIOCore

/// How pods are polled and reached.
package struct PodsConfiguration: Sendable {
    /// Between two polls of a pod (`CAPACITY_UPDATE_INTERVAL`); each wait is 90 to 100 % of it, so that pods drift apart.
    package var capacityInterval: TimeAmount = .seconds(2)
    /// For one poll as a whole (`CAPACITY_TIMEOUT`).
    package var capacityTimeout: TimeAmount = .seconds(5)
    /// Between two polls of a pod that were asked for.
    package var minimumPollDistance: TimeAmount = .milliseconds(50)
    /// The largest answer to `GET /capacity` that is read, in bytes.
    package var maximumCapacityBytes = 1 << 20

    /// For a connection to a pod to come about, its TLS handshake included.
    package var connectTimeout: TimeAmount = .seconds(2)
    /// Between two pieces of an answer, and between two pieces of a request that the pod takes (`STREAM_IDLE_TIMEOUT`).
    package var streamIdleTimeout: TimeAmount = .seconds(300)
    /// How long a connection may be idle and still be used again (`UPSTREAM_KEEPALIVE`); less where the pod's `Keep-Alive` says so.
    package var upstreamKeepAlive: TimeAmount = .seconds(4)
    /// How long a connection may be idle and still be used for what must not be sent twice.
    package var freshIdleTime: TimeAmount = .seconds(1)
    /// Idle connections kept for one pod on one event loop; above it the one just used is closed.
    package var maximumIdleConnections = 256
    /// How long sent bytes may stay unacknowledged (TCP_USER_TIMEOUT), and a silent peer be believed alive: what finds a node that
    /// vanished.
    package var tcpUserTimeout: TimeAmount = .seconds(20)
    /// Bounds on the head of a pod's answer.
    package var messageLimits = MessageLimits()
    /// The HTTP/1.1 codec on connections to pods.
    package var codec = MessageCodec.bytes
    /// How often deadlines of calls and idle connections are looked at, hence the precision of the timeouts above.
    package var timerGranularity: TimeAmount = .milliseconds(100)
    /// How much of a spooled body is read at a time, in bytes.
    package var spoolChunkBytes = 128 * 1024

    /// Certificates (PEM) that https pods are verified against, in place of the system's (`UPSTREAM_CA_FILE`).
    package var caFile: String?
    /// The gateway's own certificate and its key, for https pods that ask for one.
    package var clientCertificate: ClientCertificateFiles?
    /// The name that the certificates of https pods must be for, and that is sent as SNI (`UPSTREAM_TLS_SERVER_NAME`); without it
    /// each pod's own host name or address.
    package var tlsServerName: String?

    package init() {}
}

/// Where a certificate and its private key are.
package struct ClientCertificateFiles: Sendable, Equatable {
    /// The certificate and those between it and its authority (PEM): `UPSTREAM_CLIENT_CERT_FILE`.
    package var certificate: String
    /// Its private key (PEM), without a passphrase: `UPSTREAM_CLIENT_KEY_FILE`.
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}
