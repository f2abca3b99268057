import Core
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL

/// TLS to https pods: always verified.
final class UpstreamTLS: Sendable {
    /// nil until the first https pod, where there is no certificate file to check at start.
    private let context: NIOLockedValueBox<NIOSSLContext?>
    private let serverName: String?

    /// - Parameters:
    ///   - caFile: Certificates (PEM) to verify against in place of the system's.
    ///   - serverName: The name that certificates must be for, in place of the pod's own host name or address.
    init(caFile: String?, serverName: String?) throws(PodsError) {
        self.serverName = serverName
        context = NIOLockedValueBox(nil)
        guard let caFile else { return }
        do {
            // Read by itself first: the context passes over a file without a certificate.
            let certificates = try NIOSSLCertificate.fromPEMFile(caFile)
            guard !certificates.isEmpty else {
                throw PodsError(.invalidConfiguration, "\(caFile) holds no certificate")
            }
            let made = try NIOSSLContext(configuration: Self.configuration(trustRoots: .certificates(certificates)))
            context.withLockedValue { $0 = made }
        } catch let error as PodsError {
            throw error
        } catch {
            throw PodsError(.invalidConfiguration, "the certificates in \(caFile) cannot be read", cause: error)
        }
    }

    /// The handler for a connection to a pod.
    func handler(for pod: PodDescription) throws -> NIOSSLClientHandler {
        let context = try context.withLockedValue { context in
            if let context { return context }
            let made = try NIOSSLContext(configuration: Self.configuration(trustRoots: .default))
            context = made
            return made
        }
        return try NIOSSLClientHandler(context: context, serverHostname: serverName ?? Self.name(of: pod.host))
    }

    private static func configuration(trustRoots: NIOSSLTrustRoots) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = trustRoots
        configuration.certificateVerification = .fullVerification
        configuration.applicationProtocols = ["http/1.1"]
        configuration.minimumTLSVersion = .tlsv12
        configuration.shutdownTimeout = .seconds(1)
        return configuration
    }

    /// nil for an address, which is no name to send (RFC 6066 §3): the certificate is then verified against the address.
    private static func name(of host: String) -> String? {
        (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
    }
}
