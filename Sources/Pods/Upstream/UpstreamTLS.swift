import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

/// TLS to https pods: always verified, and with a certificate of the gateway's own where pods want one.
package final class UpstreamTLS: Sendable {
    /// What connections are made with, read from files and found to be usable.
    package struct Credentials: Sendable {
        fileprivate let context: NIOSSLContext
    }

    private let caFile: String?
    private let clientCertificate: ClientCertificateFiles?
    private let serverName: String?
    /// nil until the first https pod, where there is no file to check at start.
    private let credentials: NIOLockedValueBox<Credentials?>

    /// - Parameters:
    ///   - caFile: Certificates (PEM) to verify against in place of the system's.
    ///   - clientCertificate: Shown to pods that ask for one.
    ///   - serverName: The name that certificates must be for, in place of the pod's own host name or address.
    init(
        caFile: String?,
        clientCertificate: ClientCertificateFiles? = nil,
        serverName: String?
    ) throws(PodsError) {
        self.caFile = caFile
        self.clientCertificate = clientCertificate
        self.serverName = serverName
        credentials = NIOLockedValueBox(nil)
        guard caFile != nil || clientCertificate != nil else { return }
        let made = try read()
        credentials.withLockedValue { $0 = made }
    }

    /// Reads the files again, and changes nothing yet; nil where there are none.
    package func reread() throws(PodsError) -> Credentials? {
        caFile == nil && clientCertificate == nil ? nil : try read()
    }

    private func read() throws(PodsError) -> Credentials {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = ["http/1.1"]
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = .seconds(1)
        if let caFile {
            // Read by itself first: the context passes over a file without a certificate.
            configuration.trustRoots = .certificates(try Self.certificates(caFile))
        }
        if let clientCertificate {
            configuration.certificateChain = try Self.certificates(clientCertificate.certificate)
                .map { .certificate($0) }
            let file = clientCertificate.key
            configuration.privateKey = .privateKey(
                try Self.attempt("there is no private key (PEM, without a passphrase) in \(file)") {
                    try NIOSSLPrivateKey(file: file, format: .pem)
                }
            )
        }
        let finished = configuration
        let what = clientCertificate.map { "\($0.key) is not the key of the certificate in \($0.certificate)" }
        let context = try Self.attempt(what ?? "TLS cannot be used") {
            try NIOSSLContext(configuration: finished)
        }
        return Credentials(context: context)
    }

    /// What connections that begin from now on are made with.
    package func use(_ credentials: Credentials) {
        self.credentials.withLockedValue { $0 = credentials }
    }

    /// The handler for a connection to a pod.
    func handler(for pod: PodDescription) throws -> NIOSSLClientHandler {
        let used = try credentials.withLockedValue { credentials in
            if let credentials { return credentials }
            let made = try read()
            credentials = made
            return made
        }
        return try NIOSSLClientHandler(context: used.context, serverHostname: serverName ?? Self.name(of: pod.host))
    }

    private static func certificates(_ file: String) throws(PodsError) -> [NIOSSLCertificate] {
        let certificates = try attempt("the certificates in \(file) cannot be read") {
            try NIOSSLCertificate.fromPEMFile(file)
        }
        guard !certificates.isEmpty else {
            throw PodsError(.invalidConfiguration, "\(file) holds no certificate")
        }
        return certificates
    }

    private static func attempt<Value>(_ message: String, _ body: () throws -> Value) throws(PodsError) -> Value {
        do {
            return try body()
        } catch {
            throw PodsError(.invalidConfiguration, message, cause: error)
        }
    }

    /// nil for an address, which is no name to send (RFC 6066 §3): the certificate is then verified against the address.
    private static func name(of host: String) -> String? {
        (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}
